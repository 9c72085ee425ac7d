"""Synthetic people in the native layout of LSP: athletes, each filling an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data.readers.lsp import observer_centric
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.synthetic.figure import Array, sample_figure, sized
from posetables.data.synthetic.files import counts, generator, write_image, write_mat
from posetables.data.synthetic.painting import Picture
from posetables.data.synthetic.scene import photograph

DATASET = 0


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes images/im0001.jpg ... and joints_PC.mat, joints_OC.mat: `joints` (3, 14, N) float64.

    Rows are x, y in pixels from 1 and 1 where a joint is OCCLUDED. Every joint lies inside its image, whose margins are
    those of the real set: the long side is about 1.32 times the long side of the box around the joints. Splits count
    images. Raises `InputError` for fewer than one person or a negative seed.
    """
    people = max(counts(folder, splits, seed).values())
    joints = np.empty((people, len(LSP.joints), 3))
    for i in range(people):
        picture, joints[i] = _person(generator(seed, DATASET, i))
        write_image(folder / f"images/im{i + 1:04d}.jpg", picture)
    write_mat(folder / "joints_PC.mat", {"joints": joints.transpose(2, 1, 0)})
    write_mat(folder / "joints_OC.mat", {"joints": _observer_centric(joints).transpose(2, 1, 0)})


def _person(rng: np.random.Generator) -> tuple[Picture, Array]:
    """Picture and joints (14, 3) with the occluded flag; the picture is the box around the joints plus a margin."""
    length = np.clip(rng.normal(131, 11), 105, 150)
    figure, stature, low, box = sized(sample_figure(rng), LSP.joints, length)
    margin = rng.uniform(0.12, 0.21) * box.max()
    size = np.ceil(box + 2 * margin).astype(int)
    shift = (size - 1 - box) / 2 - low + rng.normal(0, 0.008, 2).clip(-0.02, 0.02) * size.max()
    figure = figure.placed(1, np.append(shift, 0))
    picture, hidden = photograph(rng, figure, stature, (size[0], size[1]), LSP.joints)
    return picture, np.column_stack([figure.positions(LSP.joints)[:, :2] + 1, hidden])


def _observer_centric(joints: Array) -> Array:
    """Joints (N, 14, 3) with the occluded flag, by the rule that stands in where labels were never published."""
    labels = observer_centric(joints[:, :, :2], 2 - joints[:, :, 2])
    return np.dstack([labels.joints, 2 - labels.visible])
