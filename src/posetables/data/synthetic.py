"""Synthetic people in the native layouts of LSP and LSPET: what the `mini` scale trains and tests on.

Person i is a function of the seed, the data set and i, and of nothing else: asking for more people changes no file that
is already there. Files are the same to the byte on every call.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from posetables.data.readers.lsp import observer_centric
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.data.synthetic_figure import Array, Figure, sample_figure
from posetables.data.synthetic_painting import Picture
from posetables.data.synthetic_scene import photograph
from posetables.errors import InputError

MAT_HEADER = b"MATLAB 5.0 MAT-file, synthetic people of posetables".ljust(116)


def write_lsp(folder: Path, people: int, seed: int) -> None:
    """Writes images/im0001.jpg ... and joints_PC.mat, joints_OC.mat: `joints` (3, 14, N) float64.

    Rows are x, y in pixels from 1 and 1 where a joint is OCCLUDED. Every joint lies inside its image, whose margins are
    those of the real set: the long side is about 1.32 times the long side of the box around the joints. Raises
    `InputError` for fewer than one person or a negative seed.
    """
    _check(folder, people, seed)
    joints = np.empty((people, len(LSP.joints), 3))
    for i in range(people):
        picture, joints[i] = _lsp_person(_generator(seed, 0, i))
        _write_image(folder / f"images/im{i + 1:04d}.jpg", picture)
    _write_mat(folder / "joints_PC.mat", joints.transpose(2, 1, 0))
    _write_mat(folder / "joints_OC.mat", _observer_centric(joints).transpose(2, 1, 0))


def write_lspet(folder: Path, people: int, seed: int) -> None:
    """Writes images/im00001.jpg ... and joints.mat: `joints` (14, 3, N) float64.

    Columns are x, y in pixels from 1 and 1 where a joint is VISIBLE, the opposite of LSP. Joints that are hidden or
    outside the image are unlabelled: 0, with coordinates that mean nothing and are not positive, as in the real set.
    Raises `InputError` for fewer than one person or a negative seed.
    """
    _check(folder, people, seed)
    joints = np.empty((people, len(LSP.joints), 3))
    for i in range(people):
        picture, joints[i] = _lspet_person(_generator(seed, 1, i))
        _write_image(folder / f"images/im{i + 1:05d}.jpg", picture)
    _write_mat(folder / "joints.mat", joints.transpose(1, 2, 0))


def _lsp_person(rng: np.random.Generator) -> tuple[Picture, Array]:
    """Picture and joints (14, 3) with the occluded flag; the picture is the box around the joints plus a margin."""
    figure, stature, low, box = _sized(rng, np.clip(rng.normal(131, 11), 105, 150))
    margin = rng.uniform(0.12, 0.21) * box.max()
    size = np.ceil(box + 2 * margin).astype(int)
    shift = (size - 1 - box) / 2 - low + rng.normal(0, 0.008, 2).clip(-0.02, 0.02) * size.max()
    figure = figure.placed(1, np.append(shift, 0))
    picture, hidden = photograph(rng, figure, stature, (size[0], size[1]))
    return picture, np.column_stack([figure.joints[:, :2] + 1, hidden])


def _lspet_person(rng: np.random.Generator) -> tuple[Picture, Array]:
    """Picture and joints (14, 3) with the visible flag; the picture is of any size and the person anywhere in it."""
    figure, stature, low, box = _sized(rng, np.clip(rng.normal(145, 12), 115, 170))
    size = rng.integers((150, 150), (380, 300))
    centre = size * rng.normal(0.5, 0.13, 2).clip(0.2, 0.8)
    figure = figure.placed(1, np.append(centre - low - box / 2, 0))
    picture, hidden = photograph(rng, figure, stature, (size[0], size[1]))
    xy = figure.joints[:, :2] + 1
    visible = ~hidden & ((xy >= 1) & (xy <= size)).all(1)
    junk = -rng.uniform(0, 80, 2) * (rng.permutation(2) == 0)
    return picture, np.column_stack([np.where(visible[:, None], xy, junk), visible])


def _sized(rng: np.random.Generator, length: float) -> tuple[Figure, float, Array, Array]:
    """A figure whose joints span `length` pixels: itself, its stature, and the corner and sides of the joints' box."""
    figure = sample_figure(rng)
    stature = length / np.ptp(figure.joints[:, :2], axis=0).max()
    figure = figure.placed(stature, np.zeros(3))
    return figure, stature, figure.joints[:, :2].min(0), np.ptp(figure.joints[:, :2], axis=0)


def _observer_centric(joints: Array) -> Array:
    """Joints (N, 14, 3) with the occluded flag, by the rule that stands in where labels were never published."""
    labels = observer_centric(joints[:, :, :2], 2 - joints[:, :, 2])
    return np.dstack([labels.joints, 2 - labels.visible])


def _generator(seed: int, dataset: int, person: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, person], counter=[0, 0, 0, dataset]))


def _check(folder: Path, people: int, seed: int) -> None:
    if people < 1:
        raise InputError(f"{folder}: people is {people}; ask for at least one synthetic person")
    if not 0 <= seed < 2**64:
        raise InputError(f"{folder}: seed is {seed}; give a whole number from 0 to 2**64 - 1")


def _write_image(path: Path, picture: Picture) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())


def _write_mat(path: Path, joints: Array) -> None:
    """MATLAB 5 without the time stamp that SciPy writes into the text of the header, so that bytes repeat."""
    from scipy.io import savemat  # type: ignore[import-untyped]

    savemat(path, {"joints": joints})
    with path.open("r+b") as file:
        file.write(MAT_HEADER)
