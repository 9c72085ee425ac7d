"""Synthetic people in the layout of COCO 2017: nobody to five in an image, in each other's way and beyond its edges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from posetables.data.skeletons.coco import SKELETON as COCO
from posetables.data.synthetic.clothes import sample_kit
from posetables.data.synthetic.figure import EVERYDAY, FACE, Array, sample_figure
from posetables.data.synthetic.files import counts, generator, write_bytes, write_image
from posetables.data.synthetic.painting import OVERSAMPLING, Canvas, Picture
from posetables.data.synthetic.scene import Mask, Person, develop, enter, hidden, stage
from posetables.errors import InputError

DATASET = 4

SIZES = ((400, 300), (400, 267), (300, 400))
"""Width and height of images."""

SHARES = (0.05, 0.4, 0.25, 0.13, 0.1, 0.07)
"""Of images with nobody in front, one person, ... five."""

UNLABELLED = 32**2
"""Pixels^2: COCO labels no joints of people whose area is smaller."""

UNSEEN = 30
"""Pixels^2: nobody outlines less."""

LIMBS = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9)),
    *((8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)
"""The lines that COCO draws between joints, counted from 1."""

CATEGORY = {
    "supercategory": "person",
    "id": 1,
    "name": "person",
    "keypoints": [joint.replace(" ", "_") for joint in COCO.joints],
    "skeleton": LIMBS,
}


FIRST_ID = {"train": 0, "val": 500_000}
"""Below the ids of the images of each split."""


class Group(NamedTuple):
    """Who is outlined together: one person, or a crowd."""

    people: Sequence[Person]
    is_crowd: bool = False


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes annotations/person_keypoints_{train,val}2017.json and {train,val}2017/%012d.jpg.

    Joints are in whole pixels from 0; those outside the image, those of the face behind the head, all of people with an
    area below 32^2 pixels and about every second one that something hides are unlabelled. Outlines are polygons, those
    of crowds run lengths; `area` is the number of pixels that show the person. Splits count images. Raises `InputError`
    for another split, one without images or a negative seed.
    """
    images = counts(folder, splits, seed)
    if other := images.keys() - FIRST_ID.keys():
        raise InputError(f"{folder}: COCO has no labels of a split {min(other)!r}; there are {', '.join(FIRST_ID)}")
    for split, last in images.items():
        entries, annotations = [], []
        for image in range(FIRST_ID[split] + 1, FIRST_ID[split] + last + 1):
            picture, found = draw(generator(seed, DATASET, image))
            entries.append(write_picture(folder / f"{split}2017", image, picture))
            annotations += [{"image_id": image, "id": 100 * image + k, **it} for k, it in enumerate(found)]
        path = folder / f"annotations/person_keypoints_{split}2017.json"
        write_labels(path, {"images": entries, "annotations": annotations})


def write_picture(folder: Path, image: int, picture: Picture) -> dict[str, Any]:
    """Writes an image under its id; its entry in the label file."""
    name = f"{image:012d}.jpg"
    write_image(folder / name, picture)
    height, width = picture.shape[:2]
    return {"license": 1, "file_name": name, "height": height, "width": width, "id": image}


def write_labels(path: Path, content: Mapping[str, Any]) -> None:
    info = {"description": "synthetic people of posetables in the layout of COCO 2017", "version": "1.0", "year": 2017}
    about = {"info": info, "licenses": [{"id": 1, "name": "MIT", "url": ""}], "categories": [CATEGORY]}
    write_bytes(path, json.dumps(about | dict(content), separators=(",", ":")).encode())


def draw(rng: np.random.Generator) -> tuple[Picture, list[dict[str, Any]]]:
    """A picture and its annotations."""
    size = SIZES[rng.integers(len(SIZES))]
    groups = [Group([person]) for person in _people(rng, size)]
    if rng.random() < 0.2:
        groups.append(Group([_far_person(rng, size, rng.random(), 1)]))
    if rng.random() < 0.1:
        groups.append(_crowd(rng, size))
    canvas = stage(rng, size)
    owner = np.full(canvas.depth.shape, -1)
    for k, group in enumerate(groups):
        for person in group.people:
            owner[enter(canvas, person)] = k
    masks = [_pixels(owner == k) for k in range(len(groups))]
    annotations = [
        _annotation(rng, canvas, group, mask) for group, mask in zip(groups, masks, strict=True) if mask.sum() > UNSEEN
    ]
    return develop(rng, canvas), annotations


def _people(rng: np.random.Generator, size: tuple[int, int]) -> list[Person]:
    """Those in front, the tallest first and nearest; one time in three they crowd around the same place."""
    number = rng.choice(len(SHARES), p=SHARES)
    usual = size[1] * np.exp(rng.normal(np.log(0.85), 0.35)).clip(0.4, 1.8)
    together, middle = rng.random() < 1 / 3, rng.uniform(0.25, 0.75)
    people = []
    for rank, stature in enumerate(np.sort(usual * rng.uniform(0.6, 1.1, number))[::-1]):
        figure = sample_figure(rng, EVERYDAY).placed(stature, np.zeros(3))
        across = (middle + rng.normal(0, 0.35) * stature / size[0] if together else rng.uniform(0.02, 0.98)) * size[0]
        top = figure.positions(COCO.joints)[:, 1].min()
        room = 0.9 * size[1] - np.ptp(figure.positions(COCO.joints)[:, 1])
        down = 0.07 * size[1] + room * (rng.random() if room > 0 or rng.random() < 0.3 else 0)
        offset = np.array([across, down - top, -10 * usual * rank])
        people.append(Person(figure.placed(1, offset), stature, sample_kit(rng)))
    return people


def _crowd(rng: np.random.Generator, size: tuple[int, int]) -> Group:
    places = rng.uniform(0.2, 0.8) + np.linspace(-0.15, 0.15, rng.integers(5, 9))
    return Group([_far_person(rng, size, place, 2 + rank) for rank, place in enumerate(places)], is_crowd=True)


def _far_person(rng: np.random.Generator, size: tuple[int, int], across: float, rank: int) -> Person:
    """Somebody too small for labels of joints, behind all who are in front."""
    stature = size[1] * rng.uniform(0.12, 0.22)
    place = np.array([across * size[0], rng.uniform(0.4, 0.5) * size[1], -100 * size[1] - 10 * stature * rank])
    return Person(sample_figure(rng, EVERYDAY).placed(stature, place), stature, sample_kit(rng))


def _annotation(rng: np.random.Generator, canvas: Canvas, group: Group, mask: Mask) -> dict[str, Any]:
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    keypoints = np.zeros((len(COCO.joints), 3), int)
    if not group.is_crowd and mask.sum() >= UNLABELLED:
        keypoints = _keypoints(rng, canvas, group.people[0], mask)
    return {
        "category_id": CATEGORY["id"],
        "iscrowd": int(group.is_crowd),
        "area": float(mask.sum()),
        "bbox": [float(v) for v in (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1)],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "keypoints": keypoints.ravel().tolist(),
        "segmentation": _run_lengths(mask) if group.is_crowd else _polygons(mask),
    }


def _keypoints(rng: np.random.Generator, canvas: Canvas, person: Person, mask: Mask) -> Array:
    """(17, 3) x, y and 0 unlabelled, 1 hidden, 2 visible."""
    xy = np.round(person.figure.positions(COCO.joints)[:, :2])
    unseen = hidden(canvas, person.figure, person.stature, COCO.joints)
    guessed = (rng.random(len(xy)) < 0.5) & ~np.isin(COCO.joints, list(FACE))
    inside = ((xy >= 0) & (xy < mask.shape[::-1])).all(1)
    visible = np.where(unseen, guessed, 2) * inside
    return np.where(visible[:, None] > 0, np.column_stack([xy, visible]), 0).astype(int)


def _pixels(samples: Mask) -> Mask:
    """Pixels (H, W) that are covered by at least half of their samples."""
    height, width = (side // OVERSAMPLING for side in samples.shape)
    return np.asarray(cv2.resize(samples.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5)


def _polygons(mask: Mask) -> list[list[float]]:
    """Outlines x, y, x, y ... of the parts of a mask, where 0, 0 is the corner of the first pixel, as in COCO."""
    fine = 4
    enlarged = cv2.resize(mask.astype(np.uint8), None, fx=fine, fy=fine, interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(enlarged, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # Stairs of pixels are smoothed, but not so far that specks vanish.
    smooth = (min(0.6 * fine, 0.02 * cv2.arcLength(outline, closed=True)) for outline in outlines)
    polygons = (cv2.approxPolyDP(*it, closed=True) for it in zip(outlines, smooth, strict=True))
    return [np.round((it + 0.5) / fine, 2).ravel().tolist() for it in polygons]


def _run_lengths(mask: Mask) -> dict[str, list[int]]:
    """COCO's uncompressed form: lengths of runs of 0 and 1 in turn, column by column, beginning with 0."""
    flat = np.concatenate([[False], mask.T.ravel()])
    ends = np.flatnonzero(flat[1:] != flat[:-1])
    return {"counts": np.diff([0, *ends, mask.size]).tolist(), "size": list(mask.shape)}
