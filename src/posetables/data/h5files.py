"""Numbers out of an HDF5 file, after looking at what the file says of itself.

Such files come from strangers: a data set may say that its content lies in another file of this machine, or that it
unpacks to more than there is memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posetables.errors import InputError

if TYPE_CHECKING:
    import h5py

MAX_BYTES = 256_000_000
"""Of a data set in memory; the largest of MPII's has 1 MB."""


def read(path: Path, key: str, shape: Sequence[int | None]) -> NDArray[np.float64]:
    """The data set `key` of an HDF5 file, shape `shape`, where None stands for any length.

    Raises `InputError`, naming file, key and remedy, for a file that is missing, damaged or of another format, for a
    missing key, another shape, anything but real numbers, content kept elsewhere, and NaN or infinity.
    """
    import h5py

    if not path.is_file():
        raise InputError(f"{path}: no such file; fetch the data set again")
    try:
        with h5py.File(path, "r") as file:
            array = _content(path, file, key, tuple(shape))
    except (OSError, RuntimeError, KeyError) as error:
        raise InputError(f"{path}: damaged, or no HDF5 file ({_line(error)}); get the file again") from error
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"{path}: {key}{list(first)} is {array[first]}, not a number; get the file again")
    return array


def _content(path: Path, file: h5py.File, key: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    import h5py

    if key not in file:
        there = ", ".join(file) or "nothing"
        raise InputError(f"{path}: no data set {key!r} (it holds {there}); is it the right file?")
    found = file[key] if isinstance(file.get(key, getlink=True), h5py.HardLink) else None
    if not isinstance(found, h5py.Dataset) or found.is_virtual or found.external:
        raise InputError(f"{path}: {key} is no data set of this file; is it the right file?")
    fits = len(found.shape) == len(shape) and all(a in (None, b) for a, b in zip(shape, found.shape, strict=True))
    if not fits or found.dtype.kind not in "biuf":
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        is_there = f"{found.dtype} {' x '.join(map(str, found.shape))}"
        raise InputError(f"{path}: {key} is {is_there}, expected numbers {wanted}; is it the right file?")
    if found.size * 8 > MAX_BYTES:
        raise InputError(f"{path}: {key} unpacks to more than {MAX_BYTES:,} bytes, too large for labels")
    array: NDArray[np.float64] = np.asarray(found[()], dtype=np.float64)
    return array


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
