"""MPII's `pred_keypoints_mpii.mat`: the annotations of the test images with joints filled in.

The evaluation of MPII (evaluatePCKh.m) walks through `pred` and the withheld annotations side by side. So `pred` holds
every test image in the order of `RELEASE.annolist`, each with every rectangle, whether or not anybody is asked for in
it; joints have those who stand apart (`single_person`), by number from 0, in pixels from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posetables.data import matfiles, matwriter
from posetables.data.readers.mpii_mat import LABELS
from posetables.data.skeletons.mpii import SKELETON
from posetables.errors import InputError

SUFFIX = ".mat"
NOTHING = np.zeros((0, 0))


@dataclass(frozen=True)
class Frame:
    """An image of the test, and what is known of the people in it."""

    name: str
    scale: np.ndarray
    """(R,) of its rectangles, NaN where it is not told."""
    place: np.ndarray
    """(R, 2) in pixels from 1, NaN likewise."""

    def person(self, rectangle: int) -> str:
        """As the reader names it."""
        return f"{Path(self.name).stem}-{rectangle + 1}"


def sent_as(split: str, method: str) -> str:
    """Everybody's file has the same name, and is sent by mail (human-pose.mpi-inf.mpg.de, evaluation)."""
    return "pred_keypoints_mpii.mat"


def write(path: Path, labels: Path, joints: Mapping[str, np.ndarray]) -> None:
    """labels: folder of the official label file. joints: name of a person -> (16, 2) pixels, the first at 0.

    Raises `InputError` for somebody who is in no rectangle of a test image.
    """
    images = frames(labels)
    known = {image.person(i) for image in images for i in range(len(image.scale))}
    if strangers := sorted(joints.keys() - known):
        raise InputError(f"{labels / LABELS}: annorect: {strangers[0]} is nobody of the test; predict again from it")
    matwriter.write(
        path,
        {"pred": matwriter.struct_array([_filled(image, joints) for image in images])},
        "predictions for the test people of MPII, by posetables",
        packed=True,
    )


def read(path: Path, labels: Path) -> dict[str, np.ndarray]:
    """Name of a person -> joints (16, 2), from a file that has the shape of the test annotations.

    Raises `InputError`, naming file and place, for another number or order of images or rectangles, and for a person
    without all 16 joints, each once and finite.
    """
    images, pred = frames(labels), matfiles.read_struct(path, "pred")
    named = [header.texts("name")[0] for header in pred.structs("image")]
    if named != [image.name for image in images]:
        raise InputError(f"{path}: pred: its {len(named)} images are not the {len(images)} of the test in their order")
    found: dict[str, np.ndarray] = {}
    for image, people in zip(images, pred.structs("annorect"), strict=True):
        if len(people) != len(image.scale):
            raise InputError(f"{people.where} has {len(people)} rectangles, the annotations have {len(image.scale)}")
        for i, annotated in enumerate(people.structs("annopoints")):
            if len(annotated):
                found[image.person(i)] = _joints(annotated)
    return found


def frames(labels: Path) -> list[Frame]:
    """Those that are not for training, in the order of the label file."""
    release = matfiles.read_struct(labels / LABELS, "RELEASE")
    (images,) = release.structs("annolist")
    ((train,),) = release.numbers("img_train", (1, len(images)))
    return [
        _frame(header.texts("name")[0], people)
        for header, people, trained in zip(images.structs("image"), images.structs("annorect"), train, strict=True)
        if not trained
    ]


def _frame(name: str, people: matfiles.Struct) -> Frame:
    place = np.full((len(people), 2), np.nan)
    if {"scale", "objpos"} <= set(people.fields):
        for i, each in enumerate(people.structs("objpos")):
            if len(each):
                place[i] = each.scalars("x")[0], each.scalars("y")[0]
        return Frame(name, people.scalars("scale"), place)
    return Frame(name, place[:, 0], place)


def _filled(image: Frame, joints: Mapping[str, np.ndarray]) -> dict[str, Any]:
    people = [_person(image, i, joints.get(image.person(i))) for i in range(len(image.scale))]
    return {"image": {"name": image.name}, "annorect": matwriter.struct_array(people) if people else NOTHING}


def _person(image: Frame, rectangle: int, joints: np.ndarray | None) -> dict[str, Any]:
    (x, y), scale = image.place[rectangle], image.scale[rectangle]
    points = [] if joints is None else [{"x": u + 1, "y": v + 1, "id": float(i)} for i, (u, v) in enumerate(joints)]
    return {
        "scale": NOTHING if np.isnan(scale) else scale,
        "objpos": NOTHING if np.isnan(x + y) else {"x": x, "y": y},
        "annopoints": {"point": matwriter.struct_array(points)} if points else NOTHING,
    }


def _joints(annotated: matfiles.Struct) -> np.ndarray:
    (points,) = annotated.structs("point")
    xy = np.stack([points.scalars("x"), points.scalars("y")], 1)
    if points.scalars("id").tolist() != list(range(len(SKELETON.joints))) or not np.isfinite(xy).all():
        raise InputError(f"{points.where}: not joints 0 to 15, each once and with a place; write the file again")
    return xy - 1
