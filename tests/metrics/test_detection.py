"""Box AP: pycocotools' answer on real boxes, and what becomes of crowds and of boxes that are not there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posetables.metrics import bootstrap, detection
from posetables.metrics.average_precision import Annotations, draws

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "coco_eval_fixtures").is_dir(),
    reason="needs real boxes: set POSETABLES_MIRROR to a folder that holds coco_eval_fixtures/",
)


def people(*boxes: tuple[float, ...], crowd: list[int] | None = None) -> Annotations:
    """People in image 0."""
    box = np.array(boxes, float).reshape(-1, 4)
    return Annotations(
        image=np.zeros(len(box), int),
        box=box,
        area=box[:, 2] * box[:, 3],
        crowd=np.array(crowd or [0] * len(box)),
    )


def found(*boxes: tuple[float, ...], score: list[float] | None = None) -> detection.Boxes:
    """Boxes in image 0, the first the best."""
    box = np.array(boxes, float).reshape(-1, 4)
    scores = np.linspace(1, 0.5, len(box)) if score is None else np.array(score)
    return detection.Boxes(np.zeros(len(box), int), box, scores)


def ap(truth: Annotations, boxes: detection.Boxes) -> float:
    return detection.evaluate(truth, boxes, images=1).values["AP"]


@needs_mirror
def test_published_boxes_score_as_pycocotools_prints_it_to_the_last_digit() -> None:
    folder = MIRROR / "coco_eval_fixtures/mmpose4"
    coco = COCO(str(folder / "test_coco.json"))
    official = COCOeval(coco, coco.loadRes(str(folder / "test_coco_det_AP_H_56.json")), "bbox")
    official.evaluate()
    official.accumulate()
    official.summarize()

    images = sorted(coco.imgs)
    annotations = list(coco.anns.values())
    results = json.loads((folder / "test_coco_det_AP_H_56.json").read_text())
    truth = Annotations(
        image=np.array([images.index(person["image_id"]) for person in annotations]),
        box=np.array([person["bbox"] for person in annotations]),
        area=np.array([person["area"] for person in annotations]),
        crowd=np.array([person["iscrowd"] for person in annotations]),
    )
    boxes = detection.Boxes(
        image=np.array([images.index(result["image_id"]) for result in results]),
        box=np.array([result["bbox"] for result in results]),
        score=np.array([result["score"] for result in results]),
    )
    evaluation = detection.evaluate(truth, boxes, len(images))
    printed = ["AP", "AP50", "AP75", "APS", "APM", "APL", None, None, "AR", "ARS", "ARM", "ARL"]
    for name, value in zip(printed, official.stats, strict=True):
        assert name is None or np.array_equal(
            evaluation.values[name], np.nan if value < 0 else value, equal_nan=True
        ), name
    once, *_ = draws(evaluation.matches, np.ones((1, len(images))))
    assert np.array_equal(once, list(evaluation.values.values()), equal_nan=True)


def test_every_box_found_scores_1_and_none_0() -> None:
    truth = people((0, 0, 50, 100), (200, 0, 50, 100))
    assert ap(truth, found(*map(tuple, truth.box))) == pytest.approx(1)
    assert ap(truth, found()) == 0


def test_box_that_overlaps_by_two_thirds_is_found_at_four_of_ten_thresholds() -> None:
    # 80 of 120 pixels of the union.
    assert ap(people((0, 0, 10, 10)), found((0, 2, 10, 10))) == pytest.approx(0.4)


def test_crowd_need_not_be_found_and_boxes_within_it_cost_nothing() -> None:
    truth = people((0, 0, 50, 100), (200, 0, 400, 400), crowd=[0, 1])
    assert ap(truth, found((210, 10, 50, 100), (300, 10, 50, 100), (0, 0, 50, 100))) == pytest.approx(1)


def test_second_box_around_a_person_costs_precision() -> None:
    # Half of the people at precision 1, the other half at 2 of 3.
    truth = people((0, 0, 50, 100), (200, 0, 50, 100))
    boxes = found((0, 0, 50, 100), (0, 0, 50, 100), (200, 0, 50, 100))
    assert ap(truth, boxes) == pytest.approx((51 + 50 * 2 / 3) / 101)


@pytest.mark.parametrize(("box", "score"), [((0, 0, np.nan, 10), 0.9), ((500, 0, 50, 100), np.nan)])
def test_box_without_a_score_or_with_an_unknown_side_is_none(box: tuple[float, ...], score: float) -> None:
    truth = people((0, 0, 50, 100))
    assert ap(truth, found(box, (0, 0, 50, 100), score=[score, 0.5])) == pytest.approx(1)


def test_draws_of_images_without_boxes_have_no_recall() -> None:
    truth = people((0, 0, 50, 100), (0, 0, 50, 100))
    both = Annotations(np.array([0, 1]), truth.box, truth.area, truth.crowd)
    evaluation = detection.evaluate(both, found((0, 0, 50, 100)), images=2)
    times = bootstrap.resamples(2, (0, 0), draws=40)
    recall = draws(evaluation.matches, times)[:, list(evaluation.values).index("AR")]
    assert recall == pytest.approx(times[:, 0] / 2)
