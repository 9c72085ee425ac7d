"""AP and AR against pycocotools on its own inputs, and their resampling against sets in which images are repeated."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from posetables.metrics import bootstrap, oks
from posetables.metrics.average_precision import STATISTICS, draws

Table = TypeVar("Table", oks.Truth, oks.Poses)
Scene = tuple[oks.Truth, oks.Poses, int]

PRINTED = ["AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"]
"""What pycocotools prints for joints, in its order."""
EXACT = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 10**6)


def scene(seed: int, images: int = 8, people: int = 20) -> Scene:
    """People of every size, some in crowds, some without joints; poses near most of them, and a few near nobody."""
    draw = np.random.default_rng(seed)
    size = draw.uniform(20, 300, people)
    corner = draw.uniform(0, 300, (people, 2))
    joints = corner[:, None] + draw.random((people, 17, 2)) * size[:, None, None]
    truth = oks.Truth(
        image=draw.integers(0, images, people),
        box=np.column_stack([corner, size, size]),
        area=size**2 * draw.uniform(0.4, 0.8, people),
        crowd=(draw.random(people) < 0.1).astype(int),
        joints=joints,
        visible=draw.integers(0, 3, (people, 17)) * (draw.random((people, 1)) < 0.9),
    )
    who = draw.integers(0, people, 2 * people)
    blunder = np.abs(draw.normal(0, 0.1, (2 * people, 1, 1))) * size[who, None, None]
    found = oks.Poses(
        image=np.where(draw.random(2 * people) < 0.9, truth.image[who], draw.integers(0, images, 2 * people)),
        joints=joints[who] + blunder * draw.normal(0, 1, (2 * people, 17, 2)),
        score=draw.permutation(2 * people) / 10,
    )
    return truth, found, images


def taken(table: Table, rows: np.ndarray, image: np.ndarray) -> Table:
    """These rows, moved to these images."""
    columns = {field.name: getattr(table, field.name)[rows] for field in fields(table)}
    return replace(table, **columns | {"image": image})


def repeated(table: Table, times: np.ndarray) -> Table:
    """The set in which image i is there times[i] times, side by side."""
    first = np.cumsum(times) - times
    copies = [(row, first[image] + copy) for row, image in enumerate(table.image) for copy in range(int(times[image]))]
    rows, image = np.array(copies, int).reshape(-1, 2).T
    return taken(table, rows, image)


def printed_by_pycocotools(truth: oks.Truth, found: oks.Poses, images: int) -> list[float]:
    """The ten numbers, from plain lists and by way of the results file that a method hands in."""
    keypoints = np.concatenate([truth.joints, truth.visible[..., None]], axis=2).reshape(len(truth.image), -1)
    results = np.pad(found.joints, ((0, 0), (0, 0), (0, 1))).reshape(len(found.image), -1)
    coco = COCO()
    coco.dataset = {"images": [{"id": image + 1} for image in range(images)], "categories": [{"id": 1}]}
    coco.dataset["annotations"] = [
        {
            "id": row + 1,
            "image_id": int(truth.image[row]) + 1,
            "category_id": 1,
            "bbox": truth.box[row].tolist(),
            "area": float(truth.area[row]),
            "iscrowd": int(truth.crowd[row]),
            "keypoints": keypoints[row].tolist(),
            "num_keypoints": int((truth.visible[row] > 0).sum()),
        }
        for row in range(len(truth.image))
    ]
    coco.createIndex()
    handed_in: list[dict[str, Any]] = [
        {"image_id": int(image) + 1, "category_id": 1, "keypoints": joints.tolist(), "score": float(score)}
        for image, joints, score in zip(found.image, results, found.score, strict=True)
    ]
    evaluation = COCOeval(coco, coco.loadRes(handed_in), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [np.nan if value < 0 else value for value in evaluation.stats.tolist()]


@EXACT
@given(SEEDS)
def test_values_are_those_that_pycocotools_prints_to_the_last_bit(seed: int) -> None:
    truth, found, images = scene(seed)
    values = oks.evaluate(truth, found, images).values
    assert list(values) == PRINTED
    assert np.array_equal(list(values.values()), printed_by_pycocotools(truth, found, images), equal_nan=True)


@EXACT
@given(SEEDS)
def test_draw_that_holds_every_image_once_gives_the_same_values_to_the_last_bit(seed: int) -> None:
    evaluation = oks.evaluate(*scene(seed))
    (once,) = draws(evaluation.matches, np.ones((1, 8)))
    assert np.array_equal(once, list(evaluation.values.values()), equal_nan=True)


@EXACT
@given(SEEDS, st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_draw_equals_evaluating_the_images_that_it_holds(seed: int, holds: list[int]) -> None:
    truth, found, images = scene(seed)
    times = np.array(holds)
    (drawn,) = draws(oks.evaluate(truth, found, images).matches, times[None].astype(float))
    values = oks.evaluate(repeated(truth, times), repeated(found, times), sum(holds)).values
    np.testing.assert_allclose(drawn, list(values.values()), rtol=1e-12)


def test_many_draws_are_the_same_as_each_alone() -> None:
    matches = oks.evaluate(*scene(0)).matches
    times = bootstrap.resamples(8, (0, 0), draws=120)
    together = draws(matches, times)
    assert together.shape == (120, 10)
    for draw in (0, 49, 50, 119):
        assert np.array_equal(draws(matches, times[draw : draw + 1])[0], together[draw], equal_nan=True)


def test_draw_without_anybody_to_find_has_no_value() -> None:
    truth, found, images = scene(0)
    times = np.ones((1, images))
    times[0, truth.image] = 0
    assert np.isnan(draws(oks.evaluate(truth, found, images).matches, times)).all()


def test_interval_over_images_holds_the_value() -> None:
    evaluation = oks.evaluate(*scene(1, images=60, people=150))
    low, high = bootstrap.percentiles(draws(evaluation.matches, bootstrap.resamples(60, (0, 0), draws=200)))
    values = np.array(list(evaluation.values.values()))
    assert (low < values).all() and (values < high).all()


def test_evaluation_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    oks.evaluate(*scene(0))
    assert capsys.readouterr().out == ""


def test_statistics_of_small_people_are_left_out_where_coco_has_none() -> None:
    assert set(STATISTICS) - set(oks.evaluate(*scene(0)).values) == {"APS", "ARS"}


@pytest.mark.parametrize("image", [-1, 8])
def test_image_that_is_not_there_is_refused(image: int) -> None:
    truth, found, images = scene(0)
    elsewhere = taken(found, np.arange(1), np.array([image]))
    with pytest.raises(ValueError, match=f"image {image} is not among the 8 images"):
        oks.evaluate(truth, elsewhere, images)
