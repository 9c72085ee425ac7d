"""LSPET, the extended training set of LSP (Johnson & Everingham, CVPR 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.people import Labels, People
from posetables.data.readers.lsp import numbers_of, observer_centric, of_images
from posetables.data.skeletons.lsp import SKELETON
from posetables.errors import InputError

SIDE = 175.0
"""Pixels. People of both sets are about 150 pixels long; 175 is the median side of LSP's images, which frame them."""


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """LSPET: `joints` is 14 x 3 x N with 1 = VISIBLE, the opposite of LSP; the others hold junk and are unlabelled."""
    numbers, split = numbers_of(splits)
    path = folder / "joints.mat"
    joints = of_images(matfiles.read(path, "joints", (len(SKELETON.joints), 3, None)).transpose(2, 0, 1), numbers, path)
    visible = np.where(joints[:, :, 2] == 1, 2, 0)
    if (bare := numbers[(visible == 0).all(1)]).size:
        raise InputError(f"{path}: joints: no joint of im{bare[0]:05d}.jpg is labelled; fetch the data set again")
    xy = np.where(visible[:, :, None] > 0, joints[:, :, :2] - 1, 0.0)
    names = [f"im{i:05d}" for i in numbers]
    return People(
        names,
        [f"images/{name}.jpg" for name in names],
        split,
        {"pc": Labels(xy, visible), "oc": observer_centric(xy, visible)},
        center=_middle(xy, visible),
        side=np.full(len(numbers), SIDE),
    )


def _middle(joints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(N, 2) middle of the box around the labelled joints."""
    known = np.where(visible[:, :, None] > 0, joints, np.nan)
    middle: np.ndarray = (np.nanmin(known, axis=1) + np.nanmax(known, axis=1)) / 2
    return middle
