"""Box AP and AR of COCO for person detectors: how good the boxes are that a top-down method crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetables.metrics import average_precision
from posetables.metrics.average_precision import Annotations, Evaluation


@dataclass(frozen=True)
class Boxes:
    """The D boxes that a detector found. One without a score, or not all of whose numbers are known, is left out."""

    image: np.ndarray
    """(D,) number of the image, from 0."""
    box: np.ndarray
    """(D, 4) x, y, width, height in pixels."""
    score: np.ndarray
    """(D,)."""


def evaluate(truth: Annotations, found: Boxes, images: int) -> Evaluation:
    """AP, AP50, AP75, APS, APM, APL and AR likewise, by pycocotools, over the best 100 boxes of each image.

    Args:
        truth: everybody in the images; crowds need not be found.
        found: the boxes.
        images: how many there are; those that hold nobody still count what is found in them.

    Raises:
        ValueError: shapes disagree, or an image is not there.
    """
    annotations = [
        {"image_id": int(image), "bbox": box.tolist(), "area": float(area), "iscrowd": int(crowd)}
        for image, box, area, crowd in zip(truth.image, truth.box, truth.area, truth.crowd, strict=True)
    ]
    results = [
        {"image_id": int(image), "bbox": box.tolist(), "area": float(box[2] * box[3]), "score": float(score)}
        for image, box, score in zip(found.image, found.box, found.score, strict=True)
        if not np.isnan(score) and np.isfinite(box).all()
    ]
    return average_precision.evaluate("bbox", annotations, results, images)
