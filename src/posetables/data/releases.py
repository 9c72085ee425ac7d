"""Predictions as their authors published them. Every such file is pinned: what is parsed is known to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetables.errors import InputError

JOINTS_AMONG_ENDS = (0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17)
"""A joint of LSP ends up to two sticks: where each of the 14 is first found among the ends of the 10."""


def read_keypoints(path: Path) -> np.ndarray:
    """`pred` 2 x 14 x N, pixels from 1 (farrajota/human-pose-benchmark): (N, 14, 2), NaN where nothing was found."""
    return _array(path, "pred", (2, 14)).transpose(2, 1, 0) - 1


def read_sticks(path: Path) -> np.ndarray:
    """`pred` 2 x 20 x N, the two ends of 10 sticks: the same joints, for a method without a readable file of them."""
    ends = _array(path, "pred", (2, 20)).transpose(2, 1, 0) - 1
    return ends[:, list(JOINTS_AMONG_ENDS)]


def read_cpm(path: Path) -> np.ndarray:
    """`prediction_all` 14 x 2 x N (shihenw/convolutional-pose-machines-release)."""
    return _array(path, "prediction_all", (14, 2)).transpose(2, 0, 1) - 1


READERS: dict[str, Callable[[Path], np.ndarray]] = {
    "keypoints": read_keypoints,
    "sticks": read_sticks,
    "cpm": read_cpm,
}


def _array(path: Path, key: str, shape: tuple[int, int]) -> NDArray[np.float64]:
    import scipy.io  # type: ignore[import-untyped]

    try:
        array = scipy.io.loadmat(path, variable_names=[key]).get(key)
    except Exception as error:  # scipy documents no error for a damaged file, and raises many
        raise InputError(f"{path}: no MATLAB file of versions 4 to 7 ({error}); check file in releases.yaml") from error
    if array is None or array.ndim != 3 or array.shape[:2] != shape:
        found = "missing" if array is None else " x ".join(map(str, array.shape))
        raise InputError(f"{path}: {key} is {found}, not {shape[0]} x {shape[1]} x N; check layout in releases.yaml")
    return np.asarray(array, np.float64)
