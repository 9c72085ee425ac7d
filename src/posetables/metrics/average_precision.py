"""Average precision and recall of COCO, by pycocotools, and what they would have been on other images.

pycocotools matches detections to people, image by image, and that is all it can do for a resampling: to evaluate every
draw anew would take hours. But a match depends on nothing outside its image, so a draw that holds an image twice counts
its matches twice. `draws` therefore sums pycocotools' own matches anew, with weights; with all weights 1 it gives
pycocotools' values to the last bit.

A detection here is a pose (`oks`) or a box (`detection`). All values are shares in [0, 1], as pycocotools prints them;
where it says -1, because nobody is there to be found, they are NaN.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

RECALLS = np.linspace(0, 1, 101)
DRAWS_AT_ONCE = 50
"""A draw takes memory for every detection; more at once would not be faster."""


@dataclass(frozen=True)
class Annotations:
    """The people that are labelled: G of them, whom a detection may or must not find."""

    image: np.ndarray
    """(G,) number of the image, from 0, in the order of COCO's ids: of equal scores the earlier image's goes first."""
    box: np.ndarray
    """(G, 4) x, y, width, height in pixels."""
    area: np.ndarray
    """(G,) pixels^2 of the person's segment, by which COCO tells medium from large."""
    crowd: np.ndarray
    """(G,) 1 for a crowd under one label: nobody has to find it, and what is found there is not counted."""


@dataclass(frozen=True)
class Matches:
    """What became of n detections, best score first, at A ranges of area and T = 10 thresholds of overlap."""

    areas: tuple[str, ...]
    """Names of the A ranges: all, (small,) medium, large."""
    image: np.ndarray
    """(n,) number of the image."""
    outcome: np.ndarray
    """(A, T, n): 1 found a person, 0 found nobody, -1 not counted."""
    people: np.ndarray
    """(A, I) how many are to be found in each image."""


class Evaluation(NamedTuple):
    values: dict[str, float]
    """Name of a statistic -> share in [0, 1]."""
    matches: Matches


class Statistic(NamedTuple):
    of: Literal["precision", "recall"]
    area: str = "all"
    threshold: int | None = None
    """Which of the thresholds .5, .55, ..., .95 of overlap; by default the mean over all."""


STATISTICS = {
    "AP": Statistic("precision"),
    "AP50": Statistic("precision", threshold=0),
    "AP75": Statistic("precision", threshold=5),
    "APS": Statistic("precision", "small"),
    "APM": Statistic("precision", "medium"),
    "APL": Statistic("precision", "large"),
    "AR": Statistic("recall"),
    "AR50": Statistic("recall", threshold=0),
    "AR75": Statistic("recall", threshold=5),
    "ARS": Statistic("recall", "small"),
    "ARM": Statistic("recall", "medium"),
    "ARL": Statistic("recall", "large"),
}
"""COCO's names for what it prints, at its largest number of detections an image: 20 poses or 100 boxes. It labels no
joints of small people, so APS and ARS are of boxes alone."""


def evaluate(
    kind: Literal["keypoints", "bbox"],
    truth: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    images: int,
    sigmas: np.ndarray | None = None,
) -> Evaluation:
    """Run pycocotools.

    Args:
        kind: what overlaps: joints by OKS, or boxes by intersection over union.
        truth: COCO annotations without `id` and `category_id`; `image_id` is the number of an image.
        found: COCO results of the same form.
        images: how many there are, those that hold nobody included.
        sigmas: (J,) of OKS; by default those of COCO's 17 joints.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCOeval(_dataset(truth, images), _dataset(found, images), kind)
        if sigmas is not None:
            coco.params.kpt_oks_sigmas = sigmas
        coco.evaluate()
        coco.accumulate()
    areas = tuple(coco.params.areaRngLbl)
    # (T, R, K, A, M) and (T, K, A, M), with one category and several limits to the detections of an image
    precision = coco.eval["precision"][:, :, 0, :, -1].transpose(2, 0, 1)
    recall = coco.eval["recall"][:, 0, :, -1].T
    summary = _summary(np.where(precision < 0, np.nan, precision), np.where(recall < 0, np.nan, recall), areas)
    return Evaluation({name: float(value) for name, value in summary.items()}, _matches(coco, areas, images))


def draws(matches: Matches, times: np.ndarray) -> np.ndarray:
    """The statistics of every draw of a resampling of images.

    Detections of equal score keep the order that they have in the whole set.

    Args:
        matches: of an evaluation.
        times: (D, I), how many times each draw holds each image.

    Returns:
        (D, C), shares in the order of `Evaluation.values`; NaN where a draw has no person to find.
    """
    parts = np.array_split(times, range(DRAWS_AT_ONCE, len(times), DRAWS_AT_ONCE))
    summaries = [_summary(*_accumulate(matches, part), matches.areas) for part in parts]
    return np.concatenate([np.stack(list(summary.values()), axis=-1) for summary in summaries])


def _dataset(annotations: Sequence[Mapping[str, Any]], images: int) -> COCO:
    """pycocotools' form of a set of annotations; ValueError for one in an image that is not there."""
    outside = [each["image_id"] for each in annotations if not 0 <= each["image_id"] < images]
    if outside:
        raise ValueError(f"image {outside[0]} is not among the {images} images that are counted from 0")
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": 1}],
        # From 1, because COCOeval marks what is unmatched with the id 0.
        "annotations": [{**each, "id": number, "category_id": 1} for number, each in enumerate(annotations, 1)],
    }
    coco.createIndex()
    return coco


def _matches(coco: COCOeval, areas: tuple[str, ...], images: int) -> Matches:
    """COCOeval's `evalImgs` as arrays, in the order in which it accumulates them."""
    per_area = [coco.evalImgs[area * images :][:images] for area in range(len(areas))]
    people = [[0 if each is None else np.count_nonzero(each["gtIgnore"] == 0) for each in area] for area in per_area]
    seen = [(image, each) for image, each in enumerate(per_area[0]) if each is not None]
    scores = np.concatenate([np.zeros(0), *(each["dtScores"] for _, each in seen)])
    order = np.argsort(-scores, kind="stable")
    image = np.repeat([image for image, _ in seen], [len(each["dtScores"]) for _, each in seen]).astype(np.int64)
    nothing = np.zeros((len(coco.params.iouThrs), 0), np.int8)
    outcome = [
        np.concatenate([nothing, *(np.where(e["dtIgnore"], -1, e["dtMatches"] > 0) for e in area if e)], axis=1)
        for area in per_area
    ]
    return Matches(areas, image[order], np.stack(outcome)[:, :, order].astype(np.int8), np.array(people))


def _accumulate(matches: Matches, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matches and times (D, I) -> precision (D, A, T, 101) and recall (D, A, T)."""
    areas, thresholds, _ = matches.outcome.shape
    precision = np.empty((len(times), areas, thresholds, len(RECALLS)))
    recall = np.empty((len(times), areas, thresholds))
    for area, outcomes in enumerate(matches.outcome):
        people = times @ matches.people[area].astype(np.float64)
        for threshold, outcome in enumerate(outcomes):
            counted = outcome >= 0
            weights = times[:, matches.image[counted]]
            curve = _precision_and_recall(weights, outcome[counted] == 1, people)
            precision[:, area, threshold], recall[:, area, threshold] = curve
    return precision, recall


def _precision_and_recall(weights: np.ndarray, hit: np.ndarray, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """COCOeval.accumulate with weights (D, n), hits (n,) and people (D,) to find: (D, 101) and (D,).

    The envelope of precision has its steps at hits, so no other place is looked at.
    """
    true = np.cumsum(weights[:, hit], axis=1)
    false = np.cumsum(weights, axis=1)[:, hit] - true
    precision = true / (false + true + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(invalid="ignore"):
        recall = true / people[:, None]
        final = weights[:, hit].sum(axis=1) / people
    reached = np.stack([np.searchsorted(each, RECALLS, side="left") for each in recall])
    # Precision is 0 at recalls that are never reached.
    padded = np.pad(envelope, ((0, 0), (0, 1)))
    at_recalls = np.take_along_axis(padded, reached, axis=1)
    return np.where(people[:, None] > 0, at_recalls, np.nan), final


def _summary(precision: np.ndarray, recall: np.ndarray, areas: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Precision (..., A, T, 101) and recall (..., A, T) -> name of a statistic -> (...)."""
    curves = {"precision": precision, "recall": recall[..., None]}
    summary = {}
    for name, (of, area, threshold) in STATISTICS.items():
        if area in areas:
            values = curves[of][..., areas.index(area), :, :]
            values = values if threshold is None else values[..., [threshold], :]
            # As one row, because sums in another order would differ from pycocotools' in the last bit.
            summary[name] = values.reshape(*values.shape[:-2], -1).mean(axis=-1)
    return summary
