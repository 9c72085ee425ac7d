"""Numbers and structs out of a MATLAB file, after looking at what the file says of itself.

Label files come from strangers and are read by a large parser, so size, header and the declared class and shape of the
array are checked before any of its content is decoded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
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
    found, kind = _declaration(path, key)
    if kind not in _NUMERIC:
        raise InputError(f"{path}: {key} is a {kind} array, numbers are expected; is it the right file?")
    if len(found) != len(shape) or any(want not in (None, have) for want, have in zip(shape, found, strict=True)):
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise InputError(f"{path}: {key} is {' x '.join(map(str, found))}, expected {wanted}; is it the right file?")
    array = _parse(path, "loadmat", variable_names=[key])[key]
    if np.iscomplexobj(array):
        raise InputError(f"{path}: {key} holds complex numbers, not real ones; get the file again from its source")
    numbers: NDArray[np.float64] = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(numbers).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(numbers))[0])
        raise InputError(f"{path}: {key}{list(first)} is {numbers[first]}, not a number; get the file again")
    return numbers


@dataclass(frozen=True)
class Struct:
    """A struct array of n records. It knows where it stands in its file, so that it can say what is wrong there."""

    where: str
    """File and place, as MATLAB writes it: `examples.mat: RELEASE.annolist(3)`."""
    records: NDArray[Any]
    """(n,) with a structured type, or of no fields at all where MATLAB has an empty array instead of a struct."""

    def __len__(self) -> int:
        return len(self.records)

    def __contains__(self, field: str) -> bool:
        return field in self.fields

    @property
    def fields(self) -> tuple[str, ...]:
        return self.records.dtype.names or ()

    def none(self) -> Struct:
        """The same struct without a record."""
        return Struct(self.where, self.records[:0])

    def numbers(self, field: str, shape: Sequence[int]) -> NDArray[np.float64]:
        """(n, *shape): an array of `shape` of each record, NaN included."""
        found = [np.asarray(value) for value in self._values(field)]
        for i, array in enumerate(found):
            if array.shape != tuple(shape) or array.dtype.kind not in "buif":
                raise InputError(f"{self._place(i, field)} is no {' x '.join(map(str, shape))} numbers; get it again")
        return np.array(found, dtype=np.float64).reshape(len(self), *shape)

    def scalars(self, field: str) -> NDArray[np.float64]:
        """(n,) one number of each record, NaN where it is empty; a digit counts as the number that it names."""
        found = np.full(len(self), np.nan)
        for i, value in enumerate(self._values(field)):
            array = np.asarray(value)
            if array.size:
                text = array.dtype.kind == "U" and str(array.flat[0]).strip().isdigit()
                if array.size > 1 or not (text or array.dtype.kind in "buif"):
                    raise InputError(f"{self._place(i, field)} is no single number; get the file again")
                found[i] = float(array.flat[0])
        return found

    def texts(self, field: str) -> list[str]:
        """One line of text of each record."""
        found = [np.asarray(value) for value in self._values(field)]
        for i, array in enumerate(found):
            if array.dtype.kind != "U" or array.size != 1:
                raise InputError(f"{self._place(i, field)} is no line of text; get the file again")
        return [str(array.flat[0]) for array in found]

    def structs(self, field: str) -> list[Struct]:
        """A struct array of each record, of length 0 where it is empty."""
        found = []
        for i, value in enumerate(self._values(field)):
            array = np.asarray(value)
            if array.dtype == object and all(each is None for each in array.flat):
                array = array.ravel()[:0]  # how SciPy gives a struct without fields
            if array.size and array.dtype.names is None:
                raise InputError(f"{self._place(i, field)} is no struct; get the file again")
            found.append(Struct(self._place(i, field), array.ravel(order="F")))
        return found

    def cells(self, field: str) -> list[list[NDArray[np.float64]]]:
        """The cell array of each record: the numbers in each of its cells, (k,) with k from 0."""
        found = []
        for i, value in enumerate(self._values(field)):
            cells = np.asarray(value)
            if cells.dtype != object or any(np.asarray(cell).dtype.kind not in "buif" for cell in cells.flat):
                raise InputError(f"{self._place(i, field)} is no cell array of numbers; get the file again")
            found.append([np.asarray(cell, np.float64).ravel() for cell in cells.ravel(order="F")])
        return found

    def _values(self, field: str) -> NDArray[Any]:
        if len(self) and field not in self:
            there = ", ".join(self.fields) or "nothing"
            raise InputError(f"{self.where} has no field {field!r} (it has {there}); is it the right file?")
        values: NDArray[Any] = self.records[field] if len(self) else np.empty(0, object)
        return values

    def _place(self, record: int, field: str) -> str:
        number = f"({record + 1})" if len(self) > 1 else ""
        return f"{self.where}{number}.{field}"


def read_struct(path: Path, key: str) -> Struct:
    """The struct array `key` of a MATLAB 5 file, its records in MATLAB's order.

    Raises `InputError`, naming file, key and remedy, as `read` does; what is inside is checked as it is taken out.
    """
    _check_container(path)
    _, kind = _declaration(path, key)
    if kind != "struct":
        raise InputError(f"{path}: {key} is a {kind} array, a struct is expected; is it the right file?")
    return Struct(f"{path}: {key}", _parse(path, "loadmat", variable_names=[key])[key].ravel(order="F"))


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


def _declaration(path: Path, key: str) -> tuple[tuple[int, ...], str]:
    """Shape and class of the array `key`, as the file declares them."""
    declared = {name: (found, kind) for name, found, kind in _parse(path, "whosmat")}
    if key not in declared:
        there = ", ".join(declared) or "nothing"
        raise InputError(f"{path}: no array {key!r} (it holds {there}); is it the right file?")
    return declared[key]


def _parse(path: Path, function: str, **options: Any) -> Any:
    import scipy.io  # type: ignore[import-untyped]

    try:
        return getattr(scipy.io, function)(path, **options)
    except Exception as error:  # scipy documents no error for a damaged file, and raises many
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: damaged ({reason}); get the file again from its source") from error
