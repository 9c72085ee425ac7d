"""Numbers out of a JSON file of annotations or results, in the form of COCO: a list of objects with the same keys.

Such files come from strangers: the size is looked at before anything is parsed, and every number before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posetables.errors import InputError

LARGEST = 2.0**53
"""Whole numbers up to it are exact."""
MAX_BYTES = 1_000_000_000
"""The largest label file of the papers, COCO's keypoints of its training images, has 240 MB; detections have less."""

Entry = Mapping[str, Any]


def parse(path: Path) -> Any:
    """What the file holds, whatever that is.

    Raises `InputError`, naming file and remedy, for a file that is missing, too large or no JSON.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; fetch the data set again")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES:,} bytes, too large for a label file")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: no JSON ({error}); get the file again from its source") from error


def entries(path: Path, content: Any, section: str | None = None) -> list[Entry]:
    """The objects of a file that is one list of them; with `section`, of the list that it holds under that key.

    Raises `InputError`, naming file and key, if there is no such list.
    """
    found = content
    if section is not None:
        found = content.get(section) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise InputError(f"{path}: {section or 'it'} is no list of objects; is it the right file?")
    return found


def numbers(path: Path, those: Sequence[Entry], key: str, length: int | None = None) -> NDArray[np.float64]:
    """Key of every entry: (N,) numbers, or (N, length) where each holds a list of them.

    Raises `InputError`, naming file, entry and key, where one is missing, of another length, infinite or no number.
    """
    shape = () if length is None else (length,)
    values = [entry.get(key) for entry in those]
    try:
        array = np.array(values) if values else np.empty((0, *shape))
    except ValueError:
        array = np.empty(0, object)  # lists of unequal length
    if array.dtype.kind in "iuf" and array.shape == (len(those), *shape) and (np.abs(array) <= LARGEST).all():
        return array.astype(np.float64)
    wanted = "a number" if length is None else f"a list of {length} numbers"
    first = next((i for i, value in enumerate(values) if not _is(value, shape)), 0)
    raise InputError(f"{path}: {key} of entry {first + 1:,} is not {wanted}; get the file again from its source")


def _is(value: Any, shape: tuple[int, ...]) -> bool:
    each = value if shape and isinstance(value, list) else [value]
    return len(each) == (shape[0] if shape else 1) and all(
        isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= LARGEST for one in each
    )
