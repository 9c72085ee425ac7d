"""Synthetic people in the native layout of LSPET: athletes anywhere in images of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.synthetic.figure import Array, sample_figure, sized
from posetables.data.synthetic.files import counts, generator, write_image, write_mat
from posetables.data.synthetic.painting import Picture
from posetables.data.synthetic.scene import photograph

DATASET = 1


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes images/im00001.jpg ... and joints.mat: `joints` (14, 3, N) float64.

    Columns are x, y in pixels from 1 and 1 where a joint is VISIBLE, the opposite of LSP. Joints that are hidden or
    outside the image are unlabelled: 0, with coordinates that mean nothing and are not positive, as in the real set.
    Splits count images. Raises `InputError` for fewer than one person or a negative seed.
    """
    people = max(counts(folder, splits, seed).values())
    joints = np.empty((people, len(LSP.joints), 3))
    for i in range(people):
        picture, joints[i] = _person(generator(seed, DATASET, i))
        write_image(folder / f"images/im{i + 1:05d}.jpg", picture)
    write_mat(folder / "joints.mat", {"joints": joints.transpose(1, 2, 0)})


def _person(rng: np.random.Generator) -> tuple[Picture, Array]:
    """Picture and joints (14, 3) with the visible flag; the picture is of any size and the person anywhere in it."""
    length = np.clip(rng.normal(145, 12), 115, 170)
    figure, stature, low, box = sized(sample_figure(rng), LSP.joints, length)
    size = rng.integers((150, 150), (380, 300))
    centre = size * rng.normal(0.5, 0.13, 2).clip(0.2, 0.8)
    figure = figure.placed(1, np.append(centre - low - box / 2, 0))
    picture, hidden = photograph(rng, figure, stature, (size[0], size[1]), LSP.joints)
    xy = figure.positions(LSP.joints)[:, :2] + 1
    visible = ~hidden & ((xy >= 1) & (xy <= size)).all(1)
    junk = -rng.uniform(0, 80, 2) * (rng.permutation(2) == 0)
    return picture, np.column_stack([np.where(visible[:, None], xy, junk), visible])
