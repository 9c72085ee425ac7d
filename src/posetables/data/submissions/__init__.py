"""The files that benchmarks take whose labels only their servers have: one module a reader, found by name.

Each has `SUFFIX`, `sent_as(split, method)`, the name under which its server takes the file, `write`, and `read`, which
takes nothing but what the server would take.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from posetables.errors import InputError


def of(reader: str | None, test: str) -> ModuleType:
    """The file for the people whom a reader gives; InputError, naming the split, if no server takes any."""
    if reader not in {module.name for module in pkgutil.iter_modules(__path__)}:
        raise InputError(f"{test}: no server scores it, as its labels are here; choose another --protocol")
    return importlib.import_module(f"{__name__}.{reader}")
