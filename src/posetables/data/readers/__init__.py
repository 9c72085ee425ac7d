"""Readers of the native formats, one module each: `read(folder, splits) -> People`, of the splits asked for."""

from __future__ import annotations

import pkgutil


def names() -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
