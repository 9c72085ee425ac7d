"""COCO's keypoint results: a list of poses, each with the number of its image (cocodataset.org, results format)."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from posetables.data import jsonfiles
from posetables.data.detections import PERSON, image_numbers
from posetables.data.skeletons.coco import SKELETON
from posetables.errors import InputError

SUFFIX = ".json"
DECIMALS = 2
"""Of a coordinate, in pixels: OKS does not see a hundredth of one, and the file is half as large."""


class Results(NamedTuple):
    """D poses, each with its image."""

    image: np.ndarray
    """(D,) COCO's number of it."""
    joints: np.ndarray
    """(D, 17, 2) pixels, the first at 0; NaN where not found."""
    score: np.ndarray
    """(D,)."""


def sent_as(split: str, method: str) -> str:
    """The server takes a zip archive of this file alone, which has its name too (cocodataset.org, upload)."""
    return f"person_keypoints_{split}2017_{method}_results.json"


def write(path: Path, results: Results) -> None:
    """One line a pose. `v` is 1, which COCO recommends and nobody reads, and 0 with x and y for a joint not found."""
    found = np.isfinite(results.joints).all(2)
    keypoints = np.dstack([np.where(found[:, :, None], results.joints.round(DECIMALS), 0.0), found])
    lines = [
        json.dumps({"image_id": image, "category_id": PERSON, "keypoints": pose, "score": score}, allow_nan=False)
        for image, pose, score in zip(
            results.image.tolist(), keypoints.reshape(len(keypoints), -1).tolist(), results.score.tolist(), strict=True
        )
    ]
    path.write_text("[" + ",\n".join(lines) + "]\n", encoding="utf-8")


def read(path: Path, images: Collection[int]) -> Results:
    """What the server would read for a split of `images`.

    Raises `InputError`, naming file, entry and key, for anything that it would refuse: no list of results, another
    category than people, a pose that is not 17 finite triples, an image that is not one of the split.
    """
    entries = jsonfiles.entries(path, jsonfiles.parse(path))
    if (jsonfiles.numbers(path, entries, "category_id") != PERSON).any():
        raise InputError(f"{path}: category_id: poses are of people, category {PERSON}; write the file again")
    image = image_numbers(path, entries)
    known = np.isin(image, np.fromiter(images, np.int64, len(images)))
    if not known.all():
        raise InputError(f"{path}: image_id {image[known.argmin()]} is no image of the split; write the file again")
    keypoints = jsonfiles.numbers(path, entries, "keypoints", 3 * len(SKELETON.joints)).reshape(-1, 17, 3)
    joints = np.where(keypoints[:, :, 2:] > 0, keypoints[:, :, :2], np.nan)
    return Results(image, joints, jsonfiles.numbers(path, entries, "score"))
