"""COCO: boxes inside of their images, flags that are counted, ids that name one thing each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from posetables.data import jsonfiles
from posetables.data.conventions import Check, none_of
from posetables.data.jsonfiles import Entry
from posetables.data.readers.coco import FILES, UNLABELLED
from posetables.data.skeletons.coco import SKELETON

TOLERANCE = 1.0
"""Pixels by which a box may leave its image: outlines are rounded."""


def native(folder: Path) -> Iterator[Check]:
    """The same of every label file that is here; the list of images of test-dev tells of images alone."""
    for name, (file, _) in FILES.items():
        path = folder / "annotations" / file
        if not path.is_file():
            continue
        content = jsonfiles.parse(path)
        images = jsonfiles.entries(path, content, "images")
        ids = jsonfiles.numbers(path, images, "id").astype(np.int64)
        named = [PurePosixPath(str(image.get("file_name"))).stem for image in images]
        other = sum(not stem.isdecimal() or int(stem) != each for stem, each in zip(named, ids.tolist(), strict=True))
        yield none_of(f"{name}: ids that are not the number in file_name", other, len(ids), "images")
        yield none_of(f"{name}: ids of images that are there twice", len(ids) - len(set(ids.tolist())), len(ids), "ids")
        if name not in UNLABELLED:
            people = jsonfiles.entries(path, content, "annotations")
            yield _joints_of(path, content, name)
            yield from (replace(check, name=f"{name}: {check.name}") for check in _people(path, images, ids, people))


def _joints_of(path: Path, content: Entry, name: str) -> Check:
    categories = jsonfiles.entries(path, content, "categories")
    listed = [category.get("keypoints") for category in categories if category.get("id") == 1]
    ours = [joint.replace(" ", "_") for joint in SKELETON.joints]
    return Check(f"{name}: joints are in our order", "yes" if listed == [ours] else "no", "yes", listed == [ours])


def _people(path: Path, images: Sequence[Entry], ids: np.ndarray, people: Sequence[Entry]) -> Iterator[Check]:
    count = len(people)
    numbers = jsonfiles.numbers(path, people, "id").tolist()
    yield none_of("ids of people that are there twice", count - len(set(numbers)), count, "ids")
    place = {each: i for i, each in enumerate(ids.tolist())}
    of = np.array([place.get(int(each), -1) for each in jsonfiles.numbers(path, people, "image_id")], int)
    yield none_of("people in an image that is not listed", int((of < 0).sum()), count, "people")
    sizes = np.stack([jsonfiles.numbers(path, images, key) for key in ("width", "height")], 1)[of]
    box = jsonfiles.numbers(path, people, "bbox", 4)
    outside = (box[:, :2] < -TOLERANCE).any(1) | (box[:, :2] + box[:, 2:] > sizes + TOLERANCE).any(1)
    yield none_of("boxes that leave their image", int(outside[of >= 0].sum()), count, "boxes")
    joints = jsonfiles.numbers(path, people, "keypoints", 3 * len(SKELETON.joints)).reshape(count, -1, 3)
    labelled = (joints[:, :, 2] > 0).sum(1)
    differ = labelled != jsonfiles.numbers(path, people, "num_keypoints")
    yield none_of("num_keypoints is not the number of labelled joints", int(differ.sum()), count, "people")
