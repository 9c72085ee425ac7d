"""Boxes of people in pixels of their image, as x, y, w, h: COCO's form."""

from __future__ import annotations

import numpy as np

PADDING = 1.25
"""Side of the square that is cut out around a person, over the longer side of the person's box:
that of HRNet and of Simple Baselines, which have it from the hourglass's code for MPII."""
LEAST_SIDE = 1.0
"""Pixels. Some of COCO's boxes have no width or height at all."""


def square(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres (N, 2) and sides (N,) of the squares to cut out around boxes (N, 4)."""
    center: np.ndarray = boxes[:, :2] + boxes[:, 2:] / 2
    side: np.ndarray = np.maximum(PADDING * boxes[:, 2:].max(1, initial=0), LEAST_SIDE)
    return center, side


def stretched(box: np.ndarray, aspect: float) -> np.ndarray:
    """(N,) by what factor the region that is cut out for a network whose input is `aspect` times as wide as high is
    higher than the square of `square`.

    That region is the smallest of this shape around the box (N, 4), and as much larger as the square is: `_box2cs` of
    HRNet and of Simple Baselines. A box without width and height has its square's.
    """
    width, height = box[:, 2], box[:, 3]
    longer = np.maximum(width, height)
    higher = np.maximum(height, width / aspect)
    factor: np.ndarray = np.divide(higher, longer, out=np.ones(len(box)), where=longer > 0)
    return factor


def framed(box: np.ndarray, center: np.ndarray) -> np.ndarray:
    """What a square of centre (N, 2) was put around, as (N, 4): the box itself that a detector found; of one that was
    labelled what a reader's clean-up left, which moves the centre but not the corner, for no label lies outside of its
    image to the left or above."""
    return np.concatenate([box[:, :2], 2 * (center - box[:, :2])], 1)


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of one box (4,) with others (N, 4); 0 where neither has an area."""
    first = np.maximum(box[:2], others[:, :2])
    last = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.clip(last - first, 0, None).prod(1)
    united = box[2:].prod() + others[:, 2:].prod(1) - shared
    ratio: np.ndarray = np.divide(shared, united, out=np.zeros(len(others)), where=united > 0)
    return ratio


def suppress(boxes: np.ndarray, scores: np.ndarray, limit: float) -> np.ndarray:
    """Numbers of the boxes (N, 4) that no better one overlaps by more than `limit`, the best first (greedy NMS)."""
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlap(boxes[left[0]], boxes[left[1:]]) <= limit]
    return np.array(kept, dtype=np.intp)
