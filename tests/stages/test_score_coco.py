"""COCO's scores: poses by OKS after rescoring and suppression, boxes by overlap, intervals over images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posetables import recipe
from posetables.metrics import oks
from posetables.recipe import Source, Split
from posetables.stages import score_coco
from posetables.stages.evidence import Evidence

IMAGES = ("val2017/000000000007.jpg", "val2017/000000000003.jpg", "val2017/000000000009.jpg")
"""Not in the order of their ids; nobody is in the last one."""

TESTED = recipe.Experiment.model_construct(
    name="hcrn/coco/hg",
    skeleton="coco",
    labels="pc",
    test=Split(dataset="coco", split="val"),
    metrics=("oks",),
    aspect=1.0,
)
SIDE = 200.0
SHIFT = 140.0
"""Along x and y, in units of a joint's sigma, between two poses that are hardly alike."""


def joints_of(people: int) -> np.ndarray:
    """(N, 17, 2) of people 200 pixels tall, apart from each other."""
    random = np.random.default_rng(0)
    return random.uniform(0, SIDE, (people, 17, 2)) + 400 * np.arange(people)[:, None, None]


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Two people in the first image, one in the second, and one there without any labelled joint."""
    monkeypatch.chdir(tmp_path)
    joints = joints_of(4)
    table = pd.DataFrame({"person": ["a", "b", "c", "d"], "image": [IMAGES[0], IMAGES[0], IMAGES[1], IMAGES[1]]})
    table["split"] = "val"
    table["joints_pc"] = list(joints.reshape(4, -1))
    table["visible_pc"] = list(np.repeat([2, 2, 2, 0], 17).reshape(4, 17).astype(np.int8))
    table["area"], table["crowd"] = SIDE**2, 0
    table["box"] = list(np.concatenate([joints.min(1), np.ptp(joints, axis=1)], 1))
    table.to_parquet("people.parquet")
    pd.DataFrame({"image": IMAGES, "split": "val"}).to_parquet("frames.parquet")
    return table


def found(labels: pd.DataFrame, rows: list[int], **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions that are the labels of some people, and the crops that they were made on."""
    chosen = labels.iloc[rows].reset_index(drop=True)
    person = [f"{i}" for i in range(len(rows))]
    crops = pd.DataFrame({"person": person, "image": chosen["image"], "side": SIDE} | columns)
    predictions = pd.DataFrame({"person": person, "joints": chosen["joints_pc"]})
    predictions["scores"] = [np.full(17, 0.9)] * len(rows)
    return predictions, crops


def score(predictions: pd.DataFrame, crops: pd.DataFrame, tested: recipe.Experiment = TESTED) -> dict[str, Any]:
    predictions.to_parquet("predictions.parquet")
    crops.to_parquet("crops.parquet")
    inputs = {
        "people": {"people": Path("people.parquet"), "frames": Path("frames.parquet")},
        "predictions": {"predictions": Path("predictions.parquet")},
        "crops": {"crops": Path("crops.parquet")},
    }
    facts = score_coco.score_poses(tested, inputs, {"scores": Path("scores.json"), "hits": Path("hits.parquet")})
    return json.loads(Path("scores.json").read_text())["oks"] | {"facts": facts}


def test_who_finds_everybody_labelled_has_an_ap_of_100(labels: pd.DataFrame) -> None:
    scores = score(*found(labels, [0, 1, 2]))
    assert (scores["AP"]["value"], scores["AR"]["value"]) == (100, 100)


def test_who_finds_nobody_has_an_ap_of_0(labels: pd.DataFrame) -> None:
    predictions, crops = found(labels, [0, 1, 2])
    predictions["joints"] = [each + 5000 for each in predictions["joints"]]
    assert score(predictions, crops)["AP"]["value"] == 0


def test_a_person_without_labelled_joints_need_not_be_found(labels: pd.DataFrame) -> None:
    assert score(*found(labels, [0, 1, 2]))["facts"]["people"] == 4
    assert score(*found(labels, [0, 1]))["AR"]["value"] == pytest.approx(200 / 3)


def test_of_two_poses_of_one_person_the_lesser_goes(labels: pd.DataFrame) -> None:
    scores = score(*found(labels, [0, 1, 2, 0], score=[0.9, 0.9, 0.9, 0.95]))
    assert scores["AP"]["value"] == 100
    assert (scores["facts"]["poses"], scores["facts"]["of boxes"]) == (3, 4)


@pytest.mark.parametrize(("sure", "expected"), [(0.1, 100), (0.99, 75)])
def test_a_pose_of_nobody_costs_more_the_surer_its_box_is(labels: pd.DataFrame, sure: float, expected: float) -> None:
    predictions, crops = found(labels, [0, 1, 2, 2], score=[0.5, 0.5, 0.5, sure])
    predictions.at[3, "joints"] = predictions.at[3, "joints"] + 5000
    assert score(predictions, crops)["AP"]["value"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "aspect", "area"),
    [
        ([10, 20, 60, 120], 1.0, 150 * 150),
        ([10, 20, 60, 120], 0.75, 150 * 112.5),
        ([10, 20, 90, 120], 0.75, 150 * 112.5),
        ([10, 20, 120, 120], 0.75, 200 * 150),
        ([10, 20, 120, 60], 0.75, 200 * 150),
        ([10, 20, 120, 60], 1.0, 150 * 150),
    ],
)
def test_poses_are_compared_by_the_area_of_the_region_that_the_network_reads(
    box: list[float], aspect: float, area: float
) -> None:
    """HRNet's: the box, padded to the aspect of the input, a quarter longer on each side."""
    x, y, width, height = box
    middle = {"center_x": x + width / 2, "center_y": y + height / 2}
    table = pd.DataFrame([{"box": box, "side": 1.25 * max(width, height)} | middle])
    assert score_coco.areas(table, aspect) == pytest.approx([area])


def test_the_area_of_a_labelled_person_is_that_of_the_cleaned_box() -> None:
    # 121 x 91 pixels, from the centre of the first to that of the last one.
    table = pd.DataFrame([{"box": [10, 20, 121, 91], "side": 1.25 * 120, "center_x": 70.0, "center_y": 65.0}])
    assert score_coco.areas(table, 0.75) == pytest.approx([200 * 150])


def test_of_two_poses_that_are_alike_for_the_region_of_a_narrow_input_the_lesser_goes(labels: pd.DataFrame) -> None:
    """The same two poses are two people's where the region is a square as high as they are, whose area is smaller."""
    predictions, crops = found(labels, [0, 1, 2, 2], score=[0.9, 0.9, 0.9, 0.8])
    crops["box"] = [np.array([0.0, 0.0, 160.0, 160.0])] * 4
    crops["center_x"], crops["center_y"] = 80.0, 80.0
    predictions.at[3, "joints"] = predictions.at[3, "joints"] + np.repeat(oks.SIGMAS, 2) * SHIFT
    # d^2 = 2 (SHIFT sigma)^2 of every joint, over (2 sigma)^2 and 2.
    squares = 2 * SHIFT**2 / 4 / 2
    alike = {aspect: np.exp(-squares / area) for aspect, area in ((1.0, SIDE**2), (0.75, SIDE**2 / 0.75))}
    assert alike[1.0] < 0.9 < alike[0.75]
    for aspect, poses in ((1.0, 4), (0.75, 3)):
        scores = score(predictions, crops, TESTED.model_copy(update={"aspect": aspect}))
        assert scores["facts"]["poses"] == poses


def test_boxes_of_everybody_have_a_box_ap_of_100(labels: pd.DataFrame) -> None:
    boxes = labels[["image", "split", "box"]].assign(score=0.5)
    boxes.to_parquet("boxes.parquet")
    inputs = {
        "people": {"people": Path("people.parquet"), "frames": Path("frames.parquet")},
        "boxes": {"people": Path("boxes.parquet")},
    }
    score_coco.score_boxes(TESTED, inputs, {"scores": Path("scores.json"), "hits": Path("hits.parquet")})
    assert json.loads(Path("scores.json").read_text())["detection"]["AP"]["value"] == 100


def test_the_difference_of_two_aps_has_an_interval_over_the_same_images(labels: pd.DataFrame) -> None:
    inputs = {}
    for name, rows in (("all", [0, 1, 2]), ("some", [0, 2])):
        score(*found(labels, rows))
        files = {"scores": Path(f"{name}.json"), "hits": Path(f"{name}.parquet")}
        Path("scores.json").rename(files["scores"])
        Path("hits.parquet").rename(files["hits"])
        inputs[f"score:{name}/p"] = files
    sources = [
        Source(read="score", experiment=name, protocol="p", skeleton="coco", key=("oks", "AP"), factor=factor)
        for name, factor in (("all", 1), ("some", -1))
    ]
    number = Evidence(inputs)(sources)
    alone = [Evidence(inputs)([source]) for source in sources]
    assert number.value == alone[0].value + alone[1].value > 0
    assert number.draws is not None and alone[0].draws is not None and alone[1].draws is not None
    np.testing.assert_allclose(number.draws, alone[0].draws + alone[1].draws)
