"""LSP, Leeds Sports Pose (Johnson & Everingham, BMVC 2010)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.people import Labels, People
from posetables.data.skeletons.lsp import SKELETON
from posetables.errors import InputError

LEGS = tuple((SKELETON.index(f"right {j}"), SKELETON.index(f"left {j}")) for j in ("hip", "knee", "ankle"))
ARMS = tuple((SKELETON.index(f"right {j}"), SKELETON.index(f"left {j}")) for j in ("shoulder", "elbow", "wrist"))


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """LSP: `joints` is 3 x 14 x N with 1 = OCCLUDED; occluded joints are labelled all the same.

    A test may not look at its labels, so every person's box is the whole image (Chu et al.: "image size and centre").
    """
    numbers, split = numbers_of(splits)
    labels = {}
    for name in ("pc", "oc"):
        joints = matfiles.read(folder / f"joints_{name.upper()}.mat", "joints", (3, len(SKELETON.joints), None))
        joints = of_images(joints.transpose(2, 1, 0), numbers, folder / f"joints_{name.upper()}.mat")
        labels[name] = Labels(joints[:, :, :2] - 1, np.where(joints[:, :, 2] == 1, 1, 2))
    names = [f"im{i:04d}" for i in numbers]
    return People(names, [f"images/{name}.jpg" for name in names], split, labels)


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


def numbers_of(splits: Mapping[str, tuple[int, int]]) -> tuple[np.ndarray, list[str]]:
    """1-based image numbers of all splits, and the split of each."""
    numbers = [np.arange(first, last + 1) for first, last in splits.values()]
    return np.concatenate(numbers), [name for name, part in zip(splits, numbers, strict=True) for _ in part]


def of_images(labels: np.ndarray, numbers: np.ndarray, path: Path) -> np.ndarray:
    if len(labels) < numbers.max():
        raise InputError(f"{path}: joints: labels of {len(labels)} images, but splits ask for {numbers.max()}")
    chosen: np.ndarray = labels[numbers - 1]
    return chosen
