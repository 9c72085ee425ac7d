"""Finding people: what a detector sees, what others found, and boxes around joints become people to crop."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from posetables.recipe import Detector, Split
from posetables.stages import detect as stage
from posetables.stages import speed

TEST = Split(dataset="coco", split="val")
IMAGES = ("val2017/000000000007.jpg", "val2017/000000000003.jpg")
OUTPUTS = {"boxes": Path("boxes.json"), "people": Path("people.parquet")}


@pytest.fixture
def frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"image": [*IMAGES, "train2017/000000000001.jpg"], "split": ["val", "val", "train"]}).to_parquet(
        "frames.parquet"
    )
    Path("val2017").mkdir()
    for number, image in enumerate(IMAGES, 1):
        cv2.imwrite(image, np.full((60, 80, 3), 50 * number, np.uint8))
    return {"frames": Path("frames.parquet")}


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that sees one person in each image, as sure as the image is bright."""

    def load(weights: Path | None, device: str):
        return lambda image: np.array([[10, 20, 30, 40, image.mean() / 255]])

    monkeypatch.setitem(sys.modules, "posetables.data.detectors.bright", SimpleNamespace(load=load))
    monkeypatch.setattr(stage.detectors, "named", lambda name: sys.modules[f"posetables.data.detectors.{name}"])


def people() -> pd.DataFrame:
    return pd.read_parquet("people.parquet")


@pytest.mark.usefixtures("bright")
def test_a_detector_looks_at_every_image_of_the_split_and_at_no_other(frames: dict[str, Path]) -> None:
    inputs = {"people": frames, "images": {"val2017": Path("val2017")}}
    stage.detect(Detector(name="bright", kind="bright"), TEST, inputs, OUTPUTS)
    boxes = json.loads(Path("boxes.json").read_text())
    assert [(box["image_id"], box["category_id"], box["bbox"]) for box in boxes] == [
        (7, 1, [10, 20, 30, 40]), (3, 1, [10, 20, 30, 40]),
    ]  # fmt: skip
    assert people()["image"].tolist() == list(IMAGES)
    assert people()["score"].tolist() == pytest.approx([50 / 255, 100 / 255], abs=0.01)


def test_whom_others_found_in_other_images_is_left_out(frames: dict[str, Path]) -> None:
    found = [{"image_id": image, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5} for image in (3, 1)]
    Path("found.json").write_text(json.dumps(found))
    recipe = Detector(name="others", dataset="theirs", file="found.json")
    stage.detect(recipe, TEST, {"people": frames, "file": {"found.json": Path("found.json")}}, OUTPUTS)
    assert people()["image"].tolist() == [IMAGES[1]]


def test_boxes_around_predicted_joints_have_the_middle_and_the_size_of_the_pose(frames: dict[str, Path]) -> None:
    joints = np.tile([[100.0, 50.0]], (17, 1))
    joints[0], joints[1] = (60, 20), (140, 220)
    predictions = pd.DataFrame({"person": ["x"], "joints": [joints.ravel()], "scores": [np.ones(17)]})
    predictions.to_parquet("predictions.parquet")
    pd.DataFrame({"person": ["x"], "image": [IMAGES[0]]}).to_parquet("crops.parquet")
    inputs = {
        "people": frames,
        "predictions": {"predictions": Path("predictions.parquet")},
        "crops": {"crops": Path("crops.parquet")},
    }
    recipe = Detector(name="around", kind="around", predictions="hcrn/coco/hg/p")
    stage.detect(recipe, TEST, inputs, OUTPUTS)
    (person,) = people().itertuples()
    assert (person.center_x, person.center_y, person.side) == (100, 120, 1.25 * 200)
    assert list(person.box) == [60, 20, 80, 200]


@pytest.mark.usefixtures("bright")
def test_the_time_of_a_detector_names_its_device_and_lies_in_its_interval(frames: dict[str, Path]) -> None:
    images = [f"val2017/{number:012d}.jpg" for number in range(20, 40)]
    for image in images:
        cv2.imwrite(image, np.zeros((8, 8, 3), np.uint8))
    pd.DataFrame({"image": images, "split": "val"}).to_parquet("frames.parquet")
    inputs = {"people": frames, "images": {"val2017": Path("val2017")}}
    speed.time_detector(Detector(name="bright", kind="bright"), TEST, inputs, {"speed": Path("speed.json")})
    told = json.loads(Path("speed.json").read_text())
    assert told["seconds"]["low"] <= told["seconds"]["value"] <= told["seconds"]["high"]
    assert told["images"] == speed.IMAGES and told["device"]
