"""Numbers out of a MATLAB file, after looking at what the file says of itself.

Label files come from strangers and are read by a large parser, so size, header and the declared class and shape of the
array are checked before any of its content is decoded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetables.errors import InputError

MAX_BYTES = 256_000_000
"""Of the file, and of all its arrays unpacked; the largest label file of the papers, MPII's, has 12 MB packed."""
_HEADER = 128
_COMPRESSED = 15  # miCOMPRESSED, table 1-1 of MathWorks' "MAT-File Format"
_NUMERIC = {"double", "single", "logical"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def read(path: Path, key: str, shape: Sequence[int | None]) -> NDArray[np.float64]:
    """The array `key` of a MATLAB 5 file (`save -v6` or `-v7`), shape `shape`, where None stands for any length.

    Raises `InputError`, naming file, key and remedy, for a file that is missing, truncated, too large or of another
    version, for a missing key, another shape, anything but real numbers, and NaN or infinity.
    """
    _check_container(path)
    _check_declaration(path, key, tuple(shape))
    array = _parse(path, "loadmat", variable_names=[key])[key]
    if np.iscomplexobj(array):
        raise InputError(f"{path}: {key} holds complex numbers, not real ones; get the file again from its source")
    numbers: NDArray[np.float64] = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(numbers).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise InputError(f"{path}: {key}{list(first)} is {numbers[first]}, not a number; get the file again")
    return numbers


def _check_container(path: Path) -> None:
    """Version, size, and that every top-level element is whole and no bomb."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; fetch the data set again")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES:,} bytes, too large for a label file")
    content = path.read_bytes()
    if content.startswith((b"MATLAB 7.3", b"\x89HDF")):
        raise InputError(f"{path}: a MATLAB 7.3 (HDF5) file; save it again in MATLAB with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:_HEADER])
    if not content.startswith(b"MATLAB 5.0") or order is None:
        raise InputError(f"{path}: not a MATLAB 5 file; get it again from its source")
    position, unpacked = _HEADER, 0
    while position < len(content):
        kind, size = struct.unpack_from(f"{order}II", content.ljust(position + 8, b"\0"), position)
        position += 8
        if position + size > len(content):
            raise InputError(f"{path}: truncated at byte {len(content):,}; get the file again from its source")
        unpacked += _inflated(path, content[position : position + size], MAX_BYTES) if kind == _COMPRESSED else size
        if unpacked > MAX_BYTES:
            raise InputError(f"{path}: unpacks to more than {MAX_BYTES:,} bytes, too large for a label file")
        position += size


def _inflated(path: Path, packed: bytes, limit: int) -> int:
    """How many bytes `packed` inflates to; stops counting just above `limit`."""
    inflater, total = zlib.decompressobj(), 0
    try:
        while packed and total <= limit:
            total += len(inflater.decompress(packed, 1 << 20))
            packed = inflater.unconsumed_tail
    except zlib.error as error:
        raise InputError(f"{path}: damaged ({error}); get the file again from its source") from error
    return total


def _check_declaration(path: Path, key: str, shape: tuple[int | None, ...]) -> None:
    declared = {name: (found, kind) for name, found, kind in _parse(path, "whosmat")}
    if key not in declared:
        there = ", ".join(declared) or "nothing"
        raise InputError(f"{path}: no array {key!r} (it holds {there}); is it the right file?")
    found, kind = declared[key]
    if kind not in _NUMERIC:
        raise InputError(f"{path}: {key} is a {kind} array, numbers are expected; is it the right file?")
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise InputError(f"{path}: {key} is {' x '.join(map(str, found))}, expected {wanted}; is it the right file?")


def _parse(path: Path, function: str, **options: Any) -> Any:
    import scipy.io  # type: ignore[import-untyped]

    try:
        return getattr(scipy.io, function)(path, **options)
    except Exception as error:  # scipy documents no error for a damaged file, and raises many
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged ({reason}); get the file again from its source") from error
