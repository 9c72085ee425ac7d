"""OKS AP and AR of COCO's keypoints, and the scores and the suppression of duplicates that come before them.

OKS, the object keypoint similarity of a pose to a person, is the mean over the person's labelled joints of
exp(-d^2 / (2 (2 sigma)^2 area)): 1 where every joint is met, 0 far from all. People without a labelled joint and crowds
need not be found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from posetables.metrics import average_precision
from posetables.metrics.average_precision import Annotations, Evaluation
from posetables.metrics.pck import check_poses

# fmt: off
SIGMAS = np.array([.26, .25, .25, .35, .35, .79, .79, .72, .72, .62, .62, 1.07, 1.07, .87, .87, .89, .89]) / 10
# fmt: on
"""How far annotators disagree about each of COCO's 17 joints, in units of the root of the area."""


@dataclass(frozen=True)
class Truth(Annotations):
    """The people that are labelled, with their joints."""

    joints: np.ndarray
    """(G, J, 2) pixels; anything where not labelled."""
    visible: np.ndarray
    """(G, J) 0 unlabelled, 1 labelled but occluded, 2 visible."""


@dataclass(frozen=True)
class Poses:
    """The D poses that a method found. A pose without a score or without any joint is none: it is left out."""

    image: np.ndarray
    """(D,) number of the image, from 0."""
    joints: np.ndarray
    """(D, J, 2) pixels; NaN where the method found nothing, which is as far from the truth as can be."""
    score: np.ndarray
    """(D,) by which COCO sorts them, see `rescore`; NaN for none."""


def evaluate(truth: Truth, found: Poses, images: int, sigmas: np.ndarray = SIGMAS) -> Evaluation:
    """AP, AP50, AP75, APM, APL and AR likewise, by pycocotools, over the best 20 poses of each image.

    Args:
        truth: everybody in the images, crowds and people without joints included.
        found: the poses.
        images: how many there are; those that hold nobody still count what is found in them.
        sigmas: (J,) of OKS.

    Raises:
        ValueError: shapes disagree, a labelled joint has no position, or an image is not there.
    """
    labelled = truth.visible > 0
    check_poses(truth.joints, truth.joints, labelled)
    positions = np.where(labelled[..., None], truth.joints, 0.0)
    annotations = [
        {
            "image_id": int(image),
            "keypoints": np.column_stack([joints, visible]).ravel(),
            "num_keypoints": int((visible > 0).sum()),
            "bbox": box.tolist(),
            "area": float(area),
            "iscrowd": int(crowd),
        }
        for image, joints, visible, box, area, crowd in zip(
            truth.image, positions, truth.visible, truth.box, truth.area, truth.crowd, strict=True
        )
    ]
    results = [
        _result(int(image), joints, float(score))
        for image, joints, score in zip(found.image, found.joints, found.score, strict=True)
        if not np.isnan(score) and _has(joints).any()
    ]
    return average_precision.evaluate("keypoints", annotations, results, images, sigmas)


def rescore(box_score: np.ndarray, joint_score: np.ndarray, floor: float = 0.2) -> np.ndarray:
    """Score of a pose: that of its box times the mean of its joints' scores above `floor` (HRNet, dataset/coco.py).

    Args:
        box_score: (D,) of the detector.
        joint_score: (D, J) height of each joint's heatmap; NaN for a joint that was not found.
        floor: joints that score no more say nothing about the pose.

    Returns:
        (D,); 0 for a pose none of whose joints is above the floor.
    """
    sure = joint_score > floor
    total = np.where(sure, joint_score, 0.0).sum(axis=1)
    rescored: np.ndarray = total / np.maximum(sure.sum(axis=1), 1) * box_score
    return rescored


def nms(found: Poses, area: np.ndarray, threshold: float = 0.9, sigmas: np.ndarray = SIGMAS) -> np.ndarray:
    """Which poses remain when each drops all lesser ones of its image that are more alike to it than `threshold`.

    The hard OKS-NMS of HRNet (nms/nms.py): OKS between two poses, with the mean of their areas. Here it is over the
    joints that both have; two poses that share none are not alike.

    Args:
        found: the poses, of which none without a score remains.
        area: (D,) pixels^2; the square of the side of the box that was cropped (HRNet: product of scale * 200).
        threshold: OKS above which two poses are the same person.
        sigmas: (J,) of OKS.

    Returns:
        (D,) bool.
    """
    kept: np.ndarray = ~np.isnan(found.score)
    for image in np.unique(found.image):
        here = np.flatnonzero((found.image == image) & kept)
        best_first = here[np.argsort(-found.score[here], kind="stable")]
        alike = _similarity(found.joints[best_first], area[best_first], sigmas) > threshold
        for rank, pose in enumerate(best_first):
            if kept[pose]:
                kept[best_first[rank + 1 :][alike[rank, rank + 1 :]]] = False
    return kept


def _similarity(joints: np.ndarray, area: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """OKS of K poses among each other: (K, J, 2), (K,) and (J,) -> (K, K)."""
    placed = np.where(_has(joints)[..., None], joints, np.nan)
    squares = ((placed[:, None] - placed) ** 2).sum(axis=-1)
    areas = (area[:, None] + area) / 2 + np.spacing(1)
    closeness = np.exp(-squares / (2 * sigmas) ** 2 / areas[..., None] / 2)
    shared = ~np.isnan(closeness)
    similarity: np.ndarray = np.where(shared, closeness, 0.0).sum(axis=-1) / np.maximum(shared.sum(axis=-1), 1)
    return similarity


def _result(image: int, joints: np.ndarray, score: float) -> dict[str, object]:
    """One pose as pycocotools takes it, its area that of the tight box, as COCO.loadRes has it."""
    there = _has(joints)
    # A NaN would pass every comparison that COCOeval makes, and so match anybody.
    placed = np.where(there[:, None], joints, np.inf)
    width, height = np.ptp(joints[there], axis=0)
    keypoints = np.column_stack([placed, there]).ravel()
    return {"image_id": image, "keypoints": keypoints, "area": float(width * height), "score": score}


def _has(joints: np.ndarray) -> np.ndarray:
    """Which joints were found: (..., J, 2) -> (..., J)."""
    found: np.ndarray = np.isfinite(joints).all(axis=-1)
    return found
