"""Predictions as their authors published them. Every such file is pinned: what is parsed is known to the byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posetables.data import h5files, matfiles
from posetables.data.readers import flic
from posetables.data.skeletons.flic import SKELETON as FLIC
from posetables.errors import InputError

JOINTS_AMONG_ENDS = (0, 1, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17)
"""A joint of LSP ends up to two sticks: where each of the 14 is first found among the ends of the 10."""

FLIC_JOINTS = (
    *("left shoulder", "left elbow", "left wrist", "right shoulder", "right elbow", "right wrist"),
    *("left hip", "right hip", "left eye", "right eye", "nose"),
)
"""The 11 joints of files for FLIC, in their order."""


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


def read_flic(path: Path) -> np.ndarray:
    """`pred` 2 x 11 x N, pixels from 1 (farrajota/human-pose-benchmark): the 10 joints of FLIC, (N, 10, 2)."""
    return _joints_of_flic(_array(path, "pred", (2, 11)).transpose(2, 1, 0) - 1)


def read_modec(path: Path) -> np.ndarray:
    """`pred_coords` 2 x 6 x N (bensapp/MODEC, results_paper.mat): the 10 joints of FLIC, NaN for nose and hips.

    The file counts pixels within a window around each person and says of no window where it lies. It holds the truth
    within the window as well, `gt_coords`: the median difference from the truth of FLIC, two folders up, tells. A
    public copy in pixels of the image (farrajota's) has the windows of the 48 people seen from behind misplaced.
    """
    examples = matfiles.read_struct(path.parents[1] / flic.LABELS, "examples")
    test = flic.observer_centric(flic.joints_of(examples))[examples.scalars("istest") == 1]
    limbs = [FLIC.index(joint) for joint in FLIC_JOINTS[:6]]
    found = _array(path, "pred_coords", (2, 6)).transpose(2, 1, 0)
    truth = _array(path, "gt_coords", (2, 29)).transpose(2, 1, 0)[:, :6]
    if len(truth) != len(test):
        raise InputError(f"{path}: {len(truth)} people, {flic.LABELS} has {len(test)}; check file in releases.yaml")
    return _joints_of_flic(found + np.median(test[:, limbs] - truth, axis=1, keepdims=True))


def read_mpii(path: Path) -> np.ndarray:
    """`preds` N x 16 x 2, pixels from 1 (bearpaw/pytorch-pose): (N, 16, 2)."""
    return matfiles.read(path, "preds", (None, 16, 2)) - 1


def read_mpii_h5(path: Path) -> np.ndarray:
    """`preds` 2 x 16 x N in HDF5, pixels from 1 (anibali/eval-mpii-pose): (N, 16, 2)."""
    return h5files.read(path, "preds", (2, 16, None)).transpose(2, 1, 0) - 1


READERS: dict[str, Callable[[Path], np.ndarray]] = {
    "keypoints": read_keypoints,
    "sticks": read_sticks,
    "cpm": read_cpm,
    "flic": read_flic,
    "modec": read_modec,
    "mpii": read_mpii,
    "mpii-h5": read_mpii_h5,
}


def _joints_of_flic(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """The first of `FLIC_JOINTS` (N, at most 11, 2) in the order of the skeleton; NaN for those that are not there."""
    joints = np.full((len(found), len(FLIC.joints), 2), np.nan)
    for joint, positions in zip(FLIC_JOINTS, found.transpose(1, 0, 2), strict=False):
        if joint in FLIC.joints:
            joints[:, FLIC.index(joint)] = positions
    joints[:, FLIC.index("neck")] = flic.middle_of_shoulders(joints)
    return joints


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
