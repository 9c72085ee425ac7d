"""Synthetic people in the layout of MPII: everyday people, some of them partly out of the image or not alone in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.data.synthetic.clothes import GIRTHS, sample_kit, skull
from posetables.data.synthetic.figure import EVERYDAY, Array, sample_figure
from posetables.data.synthetic.files import counts, generator, write_bytes, write_image, write_mat
from posetables.data.synthetic.painting import Canvas, Picture
from posetables.data.synthetic.scene import Person, develop, enter, hidden, stage

DATASET = 3

SIZES = ((426, 240), (320, 240), (240, 320))
"""Width and height of images."""

JOINTS = MPII.joints
NECK, TOP = MPII.index("upper neck"), MPII.index("head top")

SCALE = 0.024
"""Of a person who is 200 pixels tall times the diagonal of the head box: as measured, for every person of the set."""

VALIDATION = "val"
NOBODY = {"_ArrayType_": "double", "_ArraySize_": [0, 0], "_ArrayData_": None}


@dataclass(frozen=True)
class Annotation:
    """What MPII says of one person, in pixels from 1."""

    joints: Array
    """(16, 3) x, y and 1 if visible; all 0 where a joint is outside the image."""
    head: Array
    """x1, y1, x2, y2 of the box around the head."""
    objpos: Array
    """(2,) rough middle of the person."""

    @property
    def diagonal(self) -> float:
        return float(np.linalg.norm(self.head[2:] - self.head[:2]))

    @property
    def scale(self) -> float:
        return SCALE * self.diagonal


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes mpii_annotations.json.gz (the people of all splits), tompson_detections_our_format.mat (those of `val`)
    and images/*.jpg.

    Joints are in pixels from 1; those outside the image are 0, 0 and not visible, as hidden ones are. Scale and centre
    are raw. Splits count people, who alternate in the json. Raises `InputError` for a split without people or a
    negative seed.
    """
    people = counts(folder, splits, seed)
    entries: list[dict[str, Any]] = []
    validation = []
    for number, split in sorted((number, split) for split, last in people.items() for number in range(1, last + 1)):
        picture, annotations = draw(generator(seed, DATASET, number, split))
        name = image_name(split, number)
        entries.append(_entry(name, split, picture, annotations, len(entries) + 1))
        if split == VALIDATION:
            validation.append(annotations[0])
        write_image(folder / "images" / name, picture)
    content = json.dumps(entries, separators=(",", ":")).encode()
    write_bytes(folder / "mpii_annotations.json.gz", gzip.compress(content, mtime=0))
    write_mat(folder / "tompson_detections_our_format.mat", _truth(validation))


def image_name(split: str, number: int) -> str:
    return f"{int(split != 'train')}{number:08d}.jpg"


def draw(rng: np.random.Generator) -> tuple[Picture, list[Annotation]]:
    """A picture and its people: first the one in front, then perhaps somebody behind."""
    size = SIZES[rng.choice(3, p=[0.6, 0.25, 0.15])]
    people = [_person(rng, size, size[1] * np.exp(rng.normal(np.log(0.95), 0.35)).clip(0.45, 2.1))]
    if rng.random() < 0.3:
        people.append(_bystander(rng, size, people[0].stature))
    canvas = stage(rng, size)
    for person in people:
        enter(canvas, person)
    annotations = [_annotation(canvas, person, size) for person in people]
    return develop(rng, canvas), [it for it in annotations if it is annotations[0] or it.joints[:, :2].any()]


def _person(rng: np.random.Generator, size: tuple[int, int], stature: float) -> Person:
    """Somebody with the head inside of the image; what is too large for it leaves it, one in five at the side too."""
    figure = sample_figure(rng, EVERYDAY).placed(stature, np.zeros(3))
    xy = figure.positions(JOINTS)[:, :2]
    room = size - np.ptp(xy, axis=0) - 0.06 * size[1]
    corner = 0.03 * size[1] + room * np.where(room > 0, rng.random(2), [rng.random(), 0])
    corner[0] += (rng.random() < 0.2) * rng.choice([-0.3, 0.3]) * size[0]
    offset = corner - xy.min(0)
    head = figure.points["head top"][:2] + offset
    offset += np.clip(head, np.multiply(size, 0.05), np.multiply(size, 0.9)) - head
    return Person(figure.placed(1, np.append(offset, 0)), stature, sample_kit(rng))


def _bystander(rng: np.random.Generator, size: tuple[int, int], stature: float) -> Person:
    """Somebody farther away, to the left or to the right."""
    smaller = stature * rng.uniform(0.6, 0.95)
    place = np.array([rng.choice([0.12, 0.88]) * size[0], rng.uniform(0.45, 0.65) * size[1], -10 * stature])
    return Person(sample_figure(rng, EVERYDAY).placed(smaller, place), smaller, sample_kit(rng))


def _annotation(canvas: Canvas, person: Person, size: tuple[int, int]) -> Annotation:
    """The head's joints are two fifths of the diagonal of its box from its middle, along the head, as in MPII."""
    figure = person.figure
    (crown, jaw), radii = skull(figure, person.stature), [person.stature * GIRTHS[end] for end in ("head top", "jaw")]
    ends = np.stack([crown, jaw])[:, :2]
    box = np.concatenate([(ends.T - radii).min(1), (ends.T + radii).max(1)])
    xy = figure.positions(JOINTS)[:, :2]
    axis = (xy[TOP] - xy[NECK]) / np.linalg.norm(xy[TOP] - xy[NECK])
    reach = 0.4 * np.linalg.norm(box[2:] - box[:2])
    xy = np.round(xy)
    xy[[TOP, NECK]] = np.round((box[:2] + box[2:]) / 2 + reach * np.outer([1, -1], axis), 3)
    inside = np.all((xy >= 0) & (xy <= np.subtract(size, 1)), axis=1)
    visible = ~hidden(canvas, figure, person.stature, JOINTS)
    visible[[TOP, NECK]] = True
    joints = np.where(inside[:, None], np.column_stack([xy + 1, visible]), 0)
    middle = joints[inside, :2].mean(0) if inside.any() else np.zeros(2)
    return Annotation(joints, box + 1, np.round(middle))


def _entry(name: str, split: str, picture: Picture, annotations: Sequence[Annotation], index: int) -> dict[str, Any]:
    """One person of the json, which MATLAB wrote: numbers are floats, and nobody is an empty array."""
    person, *others = annotations
    height, width = picture.shape[:2]
    return {
        "dataset": "MPI",
        "isValidation": float(split == VALIDATION),
        "img_paths": name,
        "img_width": float(width),
        "img_height": float(height),
        "objpos": person.objpos.tolist(),
        "joint_self": person.joints.tolist(),
        "scale_provided": round(person.scale, 3),
        "joint_others": others[0].joints.tolist() if others else NOBODY,
        "scale_provided_other": round(others[0].scale, 3) if others else NOBODY,
        "objpos_other": others[0].objpos.tolist() if others else NOBODY,
        "annolist_index": float(index),
        "people_index": 1.0,
        "numOtherPeople": float(len(others)),
    }


def _truth(people: Sequence[Annotation]) -> dict[str, np.ndarray]:
    """What Tompson et al. (CVPR 2015) published to score by: joints and corners of head boxes, in pixels from 1."""
    joints = np.reshape([it.joints for it in people], (-1, len(JOINTS), 3))
    return {
        "jnt_missing": (joints == 0).all(2).T.astype(float),
        "pos_gt_src": joints[:, :, :2].transpose(1, 2, 0),
        "headboxes_src": np.reshape([it.head for it in people], (-1, 2, 2)).transpose(1, 2, 0),
    }
