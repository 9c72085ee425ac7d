"""Synthetic people in the native layout of FLIC: actors in frames of films, from the head to the hips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posetables.data.matwriter import struct_array
from posetables.data.synthetic.clothes import sample_kit
from posetables.data.synthetic.figure import FILM, Array, Figure, sample_figure
from posetables.data.synthetic.files import counts, generator, write_image, write_mat
from posetables.data.synthetic.painting import Picture
from posetables.data.synthetic.scene import Person, develop, enter, paint_bystander, stage

DATASET = 2

SIZE = (360, 240)
"""Width and height of a frame: half of FLIC's."""

MARGIN = 12
"""Pixels between a joint and the edge of the frame: FLIC labels nobody whose hips are out of it."""

COLUMNS = {
    0: "left shoulder",
    1: "left elbow",
    2: "left wrist",
    3: "right shoulder",
    4: "right elbow",
    5: "right wrist",
    6: "left hip",
    9: "right hip",
    12: "left eye",
    13: "right eye",
    16: "nose",
}
"""The labelled ones of the 29 columns of `coords`; the others are NaN."""

JOINTS = tuple(COLUMNS.values())


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes examples_original.mat, a 1 x N struct array `examples`, and images/<filepath>.

    `coords` (2, 29) are x, y in pixels from 1, left and right those of the person, labelled whether or not they can be
    seen and all inside the frame; `torsobox` is x1, y1, x2, y2. As in the real set, the left shoulder lies left of the
    right one in the image when a person is seen from behind, and then only. Splits count people, who alternate in the
    file. Raises `InputError` for a split without people or a negative seed.
    """
    people = counts(folder, splits, seed)
    places = sorted((number, split) for split, last in people.items() for number in range(1, last + 1))
    examples = []
    for number, split in places:
        picture, joints, box = _person(generator(seed, DATASET, number, split))
        examples.append(_example(split, number, joints + 1, box + 1))
        write_image(folder / "images" / examples[-1]["filepath"], picture)
    write_mat(folder / "examples_original.mat", {"examples": struct_array(examples)})


def _person(rng: np.random.Generator) -> tuple[Picture, Array, Array]:
    """Picture, joints (11, 2) and the box (4,) around the torso."""
    figure, stature = _in_frame(rng, _actor(rng))
    canvas = stage(rng, SIZE)
    if rng.random() < 0.4:
        paint_bystander(canvas, rng, stature, SIZE, FILM)
    enter(canvas, Person(figure, stature, sample_kit(rng)))
    return develop(rng, canvas), figure.positions(JOINTS)[:, :2], _torso_box(rng, figure)


def _actor(rng: np.random.Generator) -> Figure:
    """Somebody whose shoulders, elbows and hips all say the same of which side is left."""
    while True:
        figure = sample_figure(rng, FILM)
        left, right = (
            figure.positions([f"{side} {joint}" for joint in ("shoulder", "elbow", "hip")])[:, 0]
            for side in ("left", "right")
        )
        if left.min() > right.max() or left.max() < right.min():
            return figure


def _in_frame(rng: np.random.Generator, figure: Figure) -> tuple[Figure, float]:
    """The figure in pixels and its stature; the torso has about three tenths of the height of the frame."""
    torso = np.linalg.norm((figure.points["thorax"] - figure.points["pelvis"])[:2])
    xy = figure.positions(JOINTS)[:, :2]
    low, box = xy.min(0), np.ptp(xy, axis=0)
    room = np.subtract(SIZE, 1 + 2 * MARGIN)
    stature = min(np.clip(rng.normal(0.31, 0.07), 0.18, 0.42) * SIZE[1] / torso, *(room / box))
    corner = MARGIN + (room - stature * box) * rng.beta(2, 2, 2)
    return figure.placed(stature, np.append(corner - stature * low, 0)), float(stature)


def _torso_box(rng: np.random.Generator, figure: Figure) -> Array:
    """x1, y1, x2, y2, half again as high as wide and a little off, as that of the detector behind FLIC."""
    middle = (figure.points["thorax"] + figure.points["pelvis"])[:2] / 2
    height = np.linalg.norm((figure.points["thorax"] - figure.points["pelvis"])[:2]) * rng.uniform(0.9, 1.1)
    middle += height * rng.normal(0, 0.05, 2)
    half = height * np.array([1 / 3, 1 / 2])
    return np.concatenate([middle - half, middle + half])


def _example(split: str, number: int, joints: Array, box: Array) -> dict[str, Any]:
    coords = np.full((2, 29), np.nan)
    coords[:, list(COLUMNS)] = joints.T
    train = split == "train"
    return {
        "poselet_hit_idx": np.ones((1, 1), np.uint16),
        "moviename": f"synthetic-{split}",
        "coords": coords,
        "filepath": f"synthetic-{split}-{number:08d}.jpg",
        "imgdims": np.array([[SIZE[1], SIZE[0], 3]], np.uint16),
        "currframe": np.array([[number]], np.uint16),
        "torsobox": box[None].astype(np.float32),
        "istrain": np.array([[train]], np.uint8),
        "istest": np.array([[not train]], np.uint8),
    }
