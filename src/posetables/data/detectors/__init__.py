"""Where people are said to be in an image, each source in a file of its own, loaded by its name.

One that looks at images has `load(weights, device) -> Detector`; one that reads what others found, in a file that they
published, has `read(path) -> Detections`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from posetables.errors import InputError

Detector = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""RGB image (h, w, 3) -> people (K, 5): x, y, w, h in pixels, score in [0, 1]."""


def named(name: str) -> ModuleType:
    """The module `<name>.py` beside this file; InputError if there is none."""
    there = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in there:
        raise InputError(f"params/: no detector {name!r}; there are {', '.join(there)}")
    return importlib.import_module(f"{__name__}.{name}")
