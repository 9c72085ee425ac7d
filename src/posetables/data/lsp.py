"""Readers of LSP (Johnson & Everingham, BMVC 2010) and of its extended training set (CVPR 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data.matfiles import read
from posetables.data.people import Labels, People
from posetables.data.skeletons import LSP
from posetables.errors import InputError

LSPET_SIDE = 175.0
"""Pixels. People of both sets are about 150 pixels long; 175 is the median side of LSP's images, which frame them."""

LEGS = tuple((LSP.index(f"right {j}"), LSP.index(f"left {j}")) for j in ("hip", "knee", "ankle"))
ARMS = tuple((LSP.index(f"right {j}"), LSP.index(f"left {j}")) for j in ("shoulder", "elbow", "wrist"))


def read_lsp(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """LSP: `joints` is 3 x 14 x N with 1 = OCCLUDED; occluded joints are labelled all the same.

    A test may not look at its labels, so every person's box is the whole image (Chu et al.: "image size and centre").
    """
    numbers, split = _numbers(splits)
    labels = {}
    for name in ("pc", "oc"):
        joints = read(folder / f"joints_{name.upper()}.mat", "joints", (3, len(LSP.joints), None))
        joints = _of_images(joints.transpose(2, 1, 0), numbers, folder / f"joints_{name.upper()}.mat")
        labels[name] = Labels(joints[:, :, :2] - 1, np.where(joints[:, :, 2] == 1, 1, 2))
    return People([f"images/im{i:04d}.jpg" for i in numbers], split, labels)


def read_lspet(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """LSPET: `joints` is 14 x 3 x N with 1 = VISIBLE, the opposite of LSP; the others hold junk and are unlabelled."""
    numbers, split = _numbers(splits)
    path = folder / "joints.mat"
    joints = _of_images(read(path, "joints", (len(LSP.joints), 3, None)).transpose(2, 0, 1), numbers, path)
    visible = np.where(joints[:, :, 2] == 1, 2, 0)
    if (bare := numbers[(visible == 0).all(1)]).size:
        raise InputError(f"{path}: joints: no joint of im{bare[0]:05d}.jpg is labelled; fetch the data set again")
    xy = np.where(visible[:, :, None] > 0, joints[:, :, :2] - 1, 0.0)
    return People(
        [f"images/im{i:05d}.jpg" for i in numbers],
        split,
        {"pc": Labels(xy, visible), "oc": observer_centric(xy, visible)},
        center=_middle(xy, visible),
        side=np.full(len(numbers), LSPET_SIDE),
    )


def observer_centric(joints: np.ndarray, visible: np.ndarray) -> Labels:
    """Observer-centric labels (N, 14, 2) from person-centric ones, where none were published.

    Legs change sides where the right hip lies right of the left one in the image, arms by the shoulders: the rule
    agrees with 94 % of the joints of LSP's published observer-centric labels. Where one of the two is unlabelled
    nothing changes.
    """
    joints, visible = joints.copy(), visible.copy()
    for limbs in (LEGS, ARMS):
        right, left = limbs[0]
        known = (visible[:, right] > 0) & (visible[:, left] > 0)
        (people,) = np.nonzero(known & (joints[:, right, 0] > joints[:, left, 0]))
        for a, b in limbs:
            for array in (joints, visible):
                array[people[:, None], [a, b]] = array[people[:, None], [b, a]]
    return Labels(joints, visible)


def _numbers(splits: Mapping[str, tuple[int, int]]) -> tuple[np.ndarray, list[str]]:
    """1-based image numbers of all splits, and the split of each."""
    numbers = [np.arange(first, last + 1) for first, last in splits.values()]
    return np.concatenate(numbers), [name for name, part in zip(splits, numbers, strict=True) for _ in part]


def _of_images(labels: np.ndarray, numbers: np.ndarray, path: Path) -> np.ndarray:
    if len(labels) < numbers.max():
        raise InputError(f"{path}: joints: labels of {len(labels)} images, but splits ask for {numbers.max()}")
    chosen: np.ndarray = labels[numbers - 1]
    return chosen


def _middle(joints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(N, 2) middle of the box around the labelled joints."""
    known = np.where(visible[:, :, None] > 0, joints, np.nan)
    middle: np.ndarray = (np.nanmin(known, axis=1) + np.nanmax(known, axis=1)) / 2
    return middle
