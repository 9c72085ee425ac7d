"""Boxes around the joints that another method found: HCRN refines the poses of OpenPose so (Table X)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posetables.data import jsonfiles
from posetables.data.detections import Detections, image_numbers, number_of, people
from posetables.data.skeletons.coco import SKELETON


def read(path: Path) -> Detections:
    """A COCO keypoint result: a list of {image_id, category_id, keypoints: [x, y, confidence] * 17, score}.

    A detection's score is the person's. Raises `InputError`, naming file, entry and key, for anything else.
    """
    entries = people(path, jsonfiles.entries(path, jsonfiles.parse(path)))
    count = len(SKELETON.joints)
    keypoints = jsonfiles.numbers(path, entries, "keypoints", 3 * count).reshape(len(entries), count, 3)
    score = jsonfiles.numbers(path, entries, "score")
    return _enclose(image_numbers(path, entries), keypoints[:, :, :2], keypoints[:, :, 2], score)


def around(images: Sequence[str], joints: np.ndarray, scores: np.ndarray) -> Detections:
    """The same for poses in memory: native name of each image, joints (N, J, 2) in pixels and their scores (N, J).

    A detection's score is the mean score of the joints with one above 0. Missing joints and scores are NaN.
    """
    found = _found(joints, scores)
    mean = np.where(found, scores, 0).sum(1) / np.maximum(found.sum(1), 1)
    return _enclose(np.array([number_of(image) for image in images], np.int64), joints, scores, mean)


def _enclose(image: np.ndarray, joints: np.ndarray, confidence: np.ndarray, score: np.ndarray) -> Detections:
    """The smallest box around each person's joints with a confidence above 0.

    Whoever has fewer than two of them, or all on one line along an axis, has no box and is left out.
    """
    found = _found(joints, confidence)[:, :, None]
    first = np.where(found, joints, np.inf).min(1)
    last = np.where(found, joints, -np.inf).max(1)
    kept = (last > first).all(1)
    return Detections(image[kept], np.concatenate([first, last - first], 1)[kept], score[kept])


def _found(joints: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    found: np.ndarray = (confidence > 0) & np.isfinite(joints).all(2)
    return found
