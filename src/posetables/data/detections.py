"""People found in images: COCO's detection files, and the people to cut out where they say that somebody is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from posetables.data import jsonfiles
from posetables.data.boxes import square
from posetables.data.people import People
from posetables.errors import InputError

PERSON = 1
"""COCO's category of people."""


@dataclass(frozen=True)
class Detections:
    """N boxes, each said to hold a person."""

    image: NDArray[np.int64]
    """(N,) number of the image: COCO names its files by it."""
    box: NDArray[np.float64]
    """(N, 4) x, y, w, h in pixels; w and h are above 0."""
    score: NDArray[np.float64]
    """(N,) the higher, the surer."""


def read(path: Path) -> Detections:
    """People of a COCO detection file: a list of {image_id, category_id, bbox: [x, y, w, h], score}.

    Other categories are left out. Raises `InputError`, naming file, entry and key, for anything else.
    """
    entries = people(path, jsonfiles.entries(path, jsonfiles.parse(path)))
    box = jsonfiles.numbers(path, entries, "bbox", 4)
    if (flat := (box[:, 2:] <= 0).any(1)).any():
        raise InputError(
            f"{path}: bbox {box[flat.argmax()].tolist()} has no width or no height; x, y, w, h are expected"
        )
    return Detections(image_numbers(path, entries), box, jsonfiles.numbers(path, entries, "score"))


def of_images(found: Mapping[str, np.ndarray]) -> Detections:
    """What an image detector found: native name of an image -> people (K, 5) x, y, w, h, score."""
    people = np.concatenate([np.empty((0, 5)), *found.values()])
    number = [number_of(image) for image, each in found.items() for _ in each]
    return Detections(np.array(number, np.int64), people[:, :4], people[:, 4])


def write(detections: Detections, path: Path) -> None:
    """The same file, one line a detection; equal detections give equal bytes."""
    lines = [
        json.dumps({"image_id": image, "category_id": PERSON, "bbox": box, "score": score})
        for image, box, score in zip(
            detections.image.tolist(), detections.box.tolist(), detections.score.tolist(), strict=True
        )
    ]
    path.write_text("[" + ",\n".join(lines) + "]\n", encoding="utf-8")


def people(path: Path, entries: Sequence[jsonfiles.Entry]) -> list[jsonfiles.Entry]:
    """Those of the entries that are of people."""
    category = jsonfiles.numbers(path, entries, "category_id")
    return [entry for entry, each in zip(entries, category, strict=True) if each == PERSON]


def image_numbers(path: Path, entries: Sequence[jsonfiles.Entry]) -> NDArray[np.int64]:
    """(N,) image_id of each entry."""
    return jsonfiles.numbers(path, entries, "image_id").astype(np.int64)


def number_of(image: str) -> int:
    """`val2017/000000000139.jpg` -> 139; InputError where the name of the file is not a number."""
    stem = PurePosixPath(image).stem
    if not stem.isdecimal():
        raise InputError(f"{image}: its name is not a number, by which a detection file could call it")
    return int(stem)


def people_of(detections: Detections, images: Mapping[str, Sequence[str]]) -> People:
    """The people to cut out of `images` (split -> native names), an image after the other, the surest first.

    Boxes become squares as those of labelled people do, but are taken as they were found, not cleaned (as in HRNet).
    Names are `<image's stem>-<rank>`, from 1. Nobody has labels. Measures: `score` (N,), `box` (N, 4) as found. What
    was found in other images is left out; `frames` are all of the images.
    """
    splits = [name for name, part in images.items() for _ in part]
    names = [image for part in images.values() for image in part]
    place = {number_of(image): i for i, image in enumerate(names)}
    of = np.array([place.get(number, -1) for number in detections.image.tolist()], dtype=np.intp)
    order = np.lexsort([-detections.score, of])
    order = order[of[order] >= 0]
    of = of[order]
    rank = np.arange(len(of)) - np.searchsorted(of, of) + 1
    center, side = square(detections.box[order])
    return People(
        names=[f"{PurePosixPath(names[i]).stem}-{each}" for i, each in zip(of, rank, strict=True)],
        images=[names[i] for i in of],
        split=[splits[i] for i in of],
        labels={},
        center=center,
        side=side,
        measures={"score": detections.score[order], "box": detections.box[order]},
        frames=images,
    )
