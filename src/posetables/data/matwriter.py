"""MATLAB 5 files that are the same to the byte on every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TEXT_BYTES = 116
"""Of the header, in which SciPy writes the time otherwise."""


def write(path: Path, content: Mapping[str, Any], says: str, packed: bool = False) -> None:
    """Arrays, and mappings as structs. says: what the file is, at the head of it; packed: smaller, as MATLAB saves."""
    from scipy.io import savemat  # type: ignore[import-untyped]

    savemat(path, dict(content), do_compression=packed)
    with path.open("r+b") as file:
        file.write(f"MATLAB 5.0 MAT-file, {says}".encode("ascii").ljust(TEXT_BYTES)[:TEXT_BYTES])


def struct_array(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """A MATLAB struct array, 1 x N, of rows that all have the fields of the first."""
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    array[0] = [tuple(row.values()) for row in rows]
    return array
