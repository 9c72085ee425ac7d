"""MPII Human Pose as its authors publish it: the people of the test as well, whose joints are withheld.

Written after the description that comes with the file, as the file itself was never at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.people import Labels, People
from posetables.data.readers.mpii import box, check_raw
from posetables.data.skeletons.mpii import SKELETON
from posetables.data.splits import of_split
from posetables.errors import InputError

LABELS = "mpii_human_pose_v1_u12_1.mat"
HEAD_SHARE = 0.6
"""Head size over the diagonal of the head box (evaluatePCKh.m)."""


@dataclass(frozen=True)
class Rectangle:
    """A person whom MPII gives a place and a scale (`annorect`)."""

    image: str
    number: int
    """Among the rectangles of the image, from 1: files of results name a person by image and this number."""
    train: bool
    objpos: tuple[float, float]
    """Pixels from 1."""
    scale: float
    head: float
    """Pixels, NaN where the head box is withheld."""
    joints: np.ndarray
    """(16, 2) pixels from 0; 0 where not labelled."""
    visible: np.ndarray
    """(16,) as in `Labels`."""


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """MPII: `train` is everybody with joints, `test` who stands sufficiently apart (the single-person benchmark).

    Both are counted in the order of the file. Test people alone have no labels at all; beside others their joints are
    unlabelled. `head` is NaN where it is withheld. Names end in the number of the rectangle.
    """
    path = folder / LABELS
    people = list(_rectangles(matfiles.read_struct(path, "RELEASE")))
    train = np.array([person.train for person in people], bool)
    chosen, split = of_split(path, {"train": train, "test": ~train}, splits)
    joints, visible = np.stack([each.joints for each in people]), np.stack([each.visible for each in people])
    scale = np.array([each.scale for each in people])
    if train.any():
        check_raw(path, joints, visible, scale)
    center, side = box(np.array([each.objpos for each in people])[chosen], scale[chosen])
    return People(
        names=[f"{Path(people[i].image).stem}-{people[i].number}" for i in chosen],
        images=[f"images/{people[i].image}" for i in chosen],
        split=split,
        labels={"pc": Labels(joints[chosen], visible[chosen])} if train[chosen].any() else {},
        center=center,
        side=side,
        measures={"head": np.array([people[i].head for i in chosen])},
    )


def _rectangles(release: matfiles.Struct) -> Iterator[Rectangle]:
    """Everybody that `read` counts, in the order of the file."""
    (images,) = release.structs("annolist")
    ((train,),) = release.numbers("img_train", (1, len(images)))
    (apart,) = release.cells("single_person")
    if len(apart) != len(images):
        raise InputError(f"{release.where}.single_person has {len(apart)} of {len(images)} images; get the file again")
    for i, (header, people) in enumerate(zip(images.structs("image"), images.structs("annorect"), strict=True)):
        for person in _people(header, people, bool(train[i])):
            if person.visible.any() if train[i] else person.number in apart[i]:
                yield person


def _people(header: matfiles.Struct, people: matfiles.Struct, train: bool) -> Iterator[Rectangle]:
    """Everybody of one image who has a place and a scale."""
    if not {"scale", "objpos"} <= set(people.fields):
        return
    scales, places, heads = people.scalars("scale"), people.structs("objpos"), _heads(people)
    labels = people.structs("annopoints") if train and "annopoints" in people else [people.none()] * len(people)
    for i, (place, annotated) in enumerate(zip(places, labels, strict=True)):
        if scales[i] > 0 and len(place):
            image, (x,), (y,) = header.texts("name")[0], place.scalars("x"), place.scalars("y")
            yield Rectangle(image, i + 1, train, (x, y), scales[i], heads[i], *_labels(annotated))


def _heads(people: matfiles.Struct) -> np.ndarray:
    """(n,) sizes of heads."""
    if not {"x1", "y1", "x2", "y2"} <= set(people.fields):
        return np.full(len(people), np.nan)
    x1, y1, x2, y2 = (people.scalars(corner) for corner in ("x1", "y1", "x2", "y2"))
    return HEAD_SHARE * np.hypot(x2 - x1, y2 - y1)


def _labels(annotated: matfiles.Struct) -> tuple[np.ndarray, np.ndarray]:
    """Joints (16, 2) and their visibility (16,). Necks and heads carry no flag in the file: they count as visible."""
    joints, visible = np.zeros((len(SKELETON.joints), 2)), np.zeros(len(SKELETON.joints), int)
    if not len(annotated):
        return joints, visible
    (points,) = annotated.structs("point")
    numbers, xy = points.scalars("id"), np.stack([points.scalars("x"), points.scalars("y")], 1)
    if not (np.isin(numbers, range(len(joints))).all() and np.isfinite(xy).all()):
        raise InputError(f"{points.where} has a joint without a number from 0 to 15 or a place; get the file again")
    seen = points.scalars("is_visible") if "is_visible" in points else np.full(len(points), np.nan)
    joints[numbers.astype(int)] = xy - 1
    visible[numbers.astype(int)] = np.where(seen == 0, 1, 2)
    return joints, visible
