"""COCO: boxes inside of their images, flags that are counted, ids that name one thing each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from posetables.data import jsonfiles
from posetables.data.conventions import Check, none_of
from posetables.data.detections import PERSON
from posetables.data.jsonfiles import Entry
from posetables.data.skeletons.coco import SKELETON

TOLERANCE = 1.0
"""Pixels by which a box may leave its image: outlines are rounded."""


def native(folder: Path) -> Iterator[Check]:
    """The same of every label file that is here."""
    for path in sorted((folder / "annotations").glob("person_keypoints_*2017.json")):
        content = jsonfiles.parse(path)
        people = jsonfiles.entries(path, content, "annotations")
        checks = chain(images(path, content), joints(path, content), _people(path, content, people))
        split = path.stem.removeprefix("person_keypoints_").removesuffix("2017")
        yield from (replace(check, name=f"{split}: {check.name}") for check in checks)


def images(path: Path, content: Any) -> Iterator[Check]:
    """Ids of images are the numbers in their names, by which results are joined to them."""
    entries = jsonfiles.entries(path, content, "images")
    ids = jsonfiles.numbers(path, entries, "id")
    other = sum(image.get("file_name") != f"{each:012.0f}.jpg" for image, each in zip(entries, ids, strict=True))
    yield none_of("ids that are not the number in file_name", other, len(ids), "images")
    yield none_of("ids of images that are there twice", len(ids) - len(np.unique(ids)), len(ids), "ids")


def joints(path: Path, content: Any) -> Iterator[Check]:
    """The joints of a person are those of our skeleton, in its order."""
    categories = jsonfiles.entries(path, content, "categories")
    listed = [category.get("keypoints") for category in categories if category.get("id") == PERSON]
    ours = [joint.replace(" ", "_") for joint in SKELETON.joints]
    yield Check("joints are in our order", "yes" if listed == [ours] else "no", "yes", listed == [ours])


def _people(path: Path, content: Any, people: Sequence[Entry]) -> Iterator[Check]:
    images, count = jsonfiles.entries(path, content, "images"), len(people)
    twice = count - len(np.unique(jsonfiles.numbers(path, people, "id")))
    yield none_of("ids of people that are there twice", twice, count, "ids")
    row = {number: i for i, number in enumerate(jsonfiles.numbers(path, images, "id"))}
    of = np.array([row.get(number, -1) for number in jsonfiles.numbers(path, people, "image_id")], np.intp)
    yield none_of("people in an image that is not listed", int((of < 0).sum()), count, "people")
    sizes = np.stack([jsonfiles.numbers(path, images, key) for key in ("width", "height")], 1)[of]
    box = jsonfiles.numbers(path, people, "bbox", 4)
    beyond = np.maximum(-box[:, :2], box[:, :2] + box[:, 2:] - sizes).max(1, initial=0)
    yield none_of("boxes that leave their image", int((beyond[of >= 0] > TOLERANCE).sum()), count, "boxes")
    flags = jsonfiles.numbers(path, people, "keypoints", 3 * len(SKELETON.joints))[:, 2::3]
    differ = (flags > 0).sum(1) != jsonfiles.numbers(path, people, "num_keypoints")
    yield none_of("num_keypoints is not the number of labelled joints", int(differ.sum()), count, "people")
