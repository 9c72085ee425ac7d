"""People of the splits that are asked for, where label files flag the split of each person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.errors import InputError


def of_split(
    path: Path, flags: Mapping[str, np.ndarray], splits: Mapping[str, tuple[int, int]]
) -> tuple[np.ndarray, list[str]]:
    """(N,) row in the file of everybody asked for, counted within each split in the order of the file, and the split.

    path: the label file, for messages. flags: split -> (all people,) bool. splits: split -> first and last number,
    1-based and inclusive. Raises `InputError` for a split that the file does not tell, or with too few people.
    """
    chosen, split = [], []
    for name, (first, last) in splits.items():
        if name not in flags:
            raise InputError(f"{path}: it tells {', '.join(flags)}, but splits ask for {name}; correct splits")
        (people,) = np.nonzero(flags[name])
        if len(people) < last:
            raise InputError(f"{path}: {len(people)} people of {name}, but splits ask for {last}; correct splits")
        chosen.append(people[first - 1 : last])
        split += [name] * (last - first + 1)
    return np.concatenate(chosen), split
