"""The people of synthetic MPII in the official file of MATLAB, test people without joints included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posetables.data.matwriter import struct_array
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.data.synthetic import mpii
from posetables.data.synthetic.files import counts, generator, write_image, write_mat
from posetables.data.synthetic.mpii import Annotation

DATASET = 5

NOTHING = np.zeros((0, 0))
ORDER = [*range(6, 10), *range(6), *range(10, 16)]
"""Of the joints in the file."""
HEAD = [MPII.index("upper neck"), MPII.index("head top")]


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes mpii_human_pose_v1_u12_1.mat, a struct `RELEASE`, and images/*.jpg.

    As in the official file: pixels from 1, joints outside the image are left out, those of the head say nothing of
    their visibility, and of people who are not of the split `train` scale and place are all that is told. The person in
    front stands apart from others (`single_person`), and nobody else does. Splits count images. Raises
    `InputError` for a split without any or a negative seed.
    """
    images = []
    for split, last in counts(folder, splits, seed).items():
        for number in range(1, last + 1):
            picture, people = mpii.draw(generator(seed, DATASET, number, split))
            images.append((mpii.image_name(split, number), people, split == "train"))
            write_image(folder / "images" / images[-1][0], picture)
    write_mat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": _release(images)})


def _release(images: list[tuple[str, list[Annotation], bool]]) -> dict[str, Any]:
    annotations = [
        {
            "image": {"name": name},
            "annorect": struct_array([_annotated(person) if train else _placed(person) for person in people]),
            "frame_sec": NOTHING,
            "vididx": NOTHING,
        }
        for name, people, train in images
    ]
    alone = np.empty((len(images), 1), object)
    alone[:, 0] = [np.ones((1, 1))] * len(images)
    activity = {"cat_name": NOTHING, "act_name": NOTHING, "act_id": -1.0}
    return {
        "annolist": struct_array(annotations),
        "img_train": np.array([[float(train) for _, _, train in images]]),
        "version": "12",
        "single_person": alone,
        "act": struct_array([activity] * len(images)).T,
        "video_list": np.empty((1, 0), object),
    }


def _annotated(person: Annotation) -> dict[str, Any]:
    points = [
        {
            "x": person.joints[i, 0],
            "y": person.joints[i, 1],
            "id": float(i),
            "is_visible": NOTHING if i in HEAD else person.joints[i, 2],
        }
        for i in ORDER
        if person.joints[i, :2].any()
    ]
    box = dict(zip(("x1", "y1", "x2", "y2"), person.head, strict=True))
    return box | {"annopoints": {"point": struct_array(points)}} | _placed(person)


def _placed(person: Annotation) -> dict[str, Any]:
    x, y = person.objpos
    return {"scale": person.scale, "objpos": {"x": x, "y": y}}
