"""Boxes and detection files, and each source of boxes: what it finds, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from posetables.data import boxes, detections, detectors
from posetables.data.detections import Detections
from posetables.data.detectors import around, hog, hog_people, mask_rcnn
from posetables.errors import InputError

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "coco_mini").is_dir(),
    reason="needs images of COCO and a published detection file: set POSETABLES_MIRROR to a folder that holds them",
)

BOX = st.tuples(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.5, 60), st.floats(0.5, 60))


# Boxes


@settings(deadline=None)
@given(st.lists(BOX, min_size=2, max_size=6))
def test_overlap_is_that_of_pycocotools(those: list[tuple[float, ...]]) -> None:
    array = np.array(those)
    truth = coco_mask.iou(array[:1], array[1:], np.zeros(len(array) - 1, np.uint8))[0]
    np.testing.assert_allclose(boxes.overlap(array[0], array[1:]), truth, atol=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(BOX, st.floats(0, 1)), max_size=8), st.floats(0.1, 0.9))
def test_nothing_that_is_kept_overlaps_and_all_that_goes_overlaps_a_better_one(
    found: list[tuple[tuple[float, ...], float]], limit: float
) -> None:
    array, scores = np.array([box for box, _ in found]).reshape(-1, 4), np.array([score for _, score in found])
    kept = boxes.suppress(array, scores, limit)
    for rank, number in enumerate(kept):
        assert (boxes.overlap(array[number], array[kept[rank + 1 :]]) <= limit).all()
    for number in set(range(len(array))) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[number]]
        assert (boxes.overlap(array[number], array[rivals]) > limit).any()
    assert (np.diff(scores[kept]) <= 0).all()


def test_the_square_is_a_quarter_longer_than_the_longer_side_and_around_the_middle() -> None:
    center, side = boxes.square(np.array([[10.0, 20, 30, 40], [0, 0, 8, 4]]))
    np.testing.assert_array_equal(center, [[25, 40], [4, 2]])
    np.testing.assert_array_equal(side, [50, 10])


# Detection files

FOUND = [
    {"image_id": 785, "category_id": 1, "bbox": [10.5, 20, 30, 40], "score": 0.25},
    {"image_id": 139, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5},
    {"image_id": 785, "category_id": 3, "bbox": [0, 0, 100, 100], "score": 0.99},
    {"image_id": 785, "category_id": 1, "bbox": [5, 6, 7, 8], "score": 0.75},
]


def write(folder: Path, content: Any) -> Path:
    path = folder / "found.json"
    path.write_text(json.dumps(content))
    return path


def test_people_alone_are_read(tmp_path: Path) -> None:
    found = detections.read(write(tmp_path, FOUND))
    assert found.image.tolist() == [785, 139, 785]
    assert found.box.tolist() == [[10.5, 20, 30, 40], [1, 2, 3, 4], [5, 6, 7, 8]]
    assert found.score.tolist() == [0.25, 0.5, 0.75]


@pytest.mark.parametrize("content", [FOUND, []], ids=["some", "none"])
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    found = detections.read(write(tmp_path, content))
    found = Detections(found.image, found.box / 3, found.score / 3)
    detections.write(found, tmp_path / "again.json")
    again = detections.read(tmp_path / "again.json")
    for name in ("image", "box", "score"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert all(set(entry) == set(FOUND[0]) for entry in json.loads((tmp_path / "again.json").read_text()))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"bbox": [1, 2, 3]}, "bbox of entry 2 is not a list of 4 numbers"),
        ({"bbox": [5, 6, 0, 8]}, r"bbox \[5.0, 6.0, 0.0, 8.0\] has no width or no height"),
        ({"score": None}, "score of entry 2 is not a number"),
        ({"image_id": "000000000785"}, "image_id of entry 2 is not a number"),
        ({"category_id": None}, "category_id of entry 2 is not a number"),
    ],
)
def test_a_damaged_detection_is_named(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=rf"found.json: {told}"):
        detections.read(write(tmp_path, [FOUND[0], FOUND[1] | changes]))


def test_a_file_of_annotations_is_no_detection_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found.json: it is no list of objects; is it the right file?"):
        detections.read(write(tmp_path, {"images": [], "annotations": []}))


def test_people_to_crop_come_image_by_image_and_the_surest_first(tmp_path: Path) -> None:
    found = detections.read(write(tmp_path, FOUND))
    images = {"val": ["val2017/000000000785.jpg", "val2017/000000000001.jpg"], "train": ["train2017/000000000139.jpg"]}
    people = detections.people_of(found, images)
    assert people.names == ["000000000785-1", "000000000785-2", "000000000139-1"]
    assert people.split == ["val", "val", "train"]
    assert people.images == ["val2017/000000000785.jpg"] * 2 + ["train2017/000000000139.jpg"]
    assert people.measures["score"].tolist() == [0.75, 0.25, 0.5]
    assert people.measures["box"][1].tolist() == [10.5, 20, 30, 40]
    assert people.center is not None and people.side is not None
    assert people.center[1].tolist() == [25.5, 40] and people.side[1] == 50
    assert not people.labels and people.frames == images


def test_what_was_found_in_other_images_is_left_out(tmp_path: Path) -> None:
    found = detections.read(write(tmp_path, FOUND))
    assert detections.people_of(found, {"val": ["val2017/000000000139.jpg"]}).names == ["000000000139-1"]


def test_an_image_whose_name_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="images/street.jpg: its name is not a number"):
        detections.of_images({"images/street.jpg": np.zeros((1, 5))})


def test_what_a_detector_found_goes_by_the_number_of_its_image() -> None:
    found = detections.of_images({"a/0017.jpg": np.array([[1, 2, 3, 4, 0.5]] * 2), "a/0018.jpg": np.empty((0, 5))})
    assert found.image.tolist() == [17, 17] and found.box.shape == (2, 4) and found.score.tolist() == [0.5, 0.5]
    assert detections.of_images({}).box.shape == (0, 4)


@needs_mirror
def test_hrnets_published_file_is_read() -> None:
    found = detections.read(MIRROR / "coco_eval_fixtures/mmpose4/test_coco_det_AP_H_56.json")
    assert found.box.shape == (118, 4) and set(found.image.tolist()) == {785, 40083, 196141, 197388}
    assert found.score[0] == 0.9999731779098511


def test_a_detector_that_does_not_exist_is_told() -> None:
    with pytest.raises(InputError, match="no detector 'yolo'; there are around, hog"):
        detectors.named("yolo")


# Around another method's joints


def result(*joints: tuple[float, float, float]) -> dict[str, Any]:
    keypoints = [*joints, *[(500.0, 500.0, 0.0)] * (17 - len(joints))]
    return {"image_id": 7, "category_id": 1, "keypoints": [v for joint in keypoints for v in joint], "score": 0.9}


def test_a_box_is_tight_around_the_joints_that_were_found(tmp_path: Path) -> None:
    found = around.read(write(tmp_path, [result((10, 40, 0.5), (30, 20, 0.1), (20, 25, 1.0))]))
    assert found.box.tolist() == [[10, 20, 20, 20]] and found.score.tolist() == [0.9] and found.image.tolist() == [7]


@pytest.mark.parametrize("joints", [[], [(10, 40, 0.5)], [(10, 40, 0.5), (10, 50, 0.5)]], ids=["none", "one", "a line"])
def test_whoever_has_no_box_is_left_out(tmp_path: Path, joints: list[tuple[float, float, float]]) -> None:
    assert around.read(write(tmp_path, [result(*joints)])).box.shape == (0, 4)


def test_joints_of_our_own_may_be_missing() -> None:
    joints = np.array([[[10, 40], [30, 20], [np.nan, np.nan], [90, 90]]])
    found = around.around(["val2017/000000000007.jpg"], joints, np.array([[0.5, 0.3, 0.9, np.nan]]))
    assert found.box.tolist() == [[10, 20, 20, 20]] and found.image.tolist() == [7]
    np.testing.assert_allclose(found.score, [0.4])


# HOG


def waves() -> np.ndarray:
    """An RGB image (160, 96, 3) that anybody can make again."""
    y, x = np.mgrid[:160, :96]
    channels = (np.sin(x / 7 + y / 11), np.cos(x / 5 - y / 13), np.sin((x - 48) ** 2 / 300 + (y - 80) ** 2 / 900))
    return np.round(127.5 * (1 + np.stack(channels, 2))).astype(np.uint8)


def test_the_weights_are_those_of_opencv() -> None:
    numbers = np.append(hog_people.WEIGHTS.ravel(), np.float32(hog_people.BIAS)).astype("<f4")
    # Of cv2.HOGDescriptor_getDefaultPeopleDetector() of OpenCV 4.12.
    digest = "cb2198952eaa5bc7e43d950b9f2aa1966528063c7295c7262133e7fa0d3d564c"
    assert hashlib.sha256(numbers.tobytes()).hexdigest() == digest


def test_the_margins_are_those_of_opencv() -> None:
    # cv2.HOGDescriptor().detect(waves(), hitThreshold=-100, winStride=(8, 8)) of OpenCV 4.12.
    truth = [
        [-2.3761, -2.4355, -1.9443, -2.0438, -1.5493],
        [-1.6961, -2.3134, -1.7889, -2.1843, -1.5478],
        [-1.7299, -3.3828, -1.9741, -1.9988, -1.6874],
        [-2.1364, -2.8263, -1.7355, -1.8028, -1.7847],
        [-2.6932, -2.2020, -1.4168, -1.9979, -1.9453],
    ]
    np.testing.assert_allclose(hog.margins(waves()), truth, atol=1e-4)


@needs_mirror
@pytest.mark.parametrize(
    ("image", "person"),
    [("000000397133", (388.66, 69.92, 109.41, 277.62)), ("000000217285", (511, 168, 73, 259))],
)
def test_an_upright_person_is_what_hog_is_surest_of(image: str, person: tuple[float, ...]) -> None:
    pixels = cv2.imread(str(MIRROR / f"coco_mini/val2017/{image}.jpg"))[:, :, ::-1]
    found = detectors.named("hog").load(None, "cpu")(np.ascontiguousarray(pixels))
    assert boxes.overlap(np.array(person), found[:1, :4])[0] > 0.8
    assert (np.diff(found[:, 4]) <= 0).all() and ((found[:, 4] > 0) & (found[:, 4] < 1)).all()
    assert (found[:, :2] >= 0).all() and (found[:, :2] + found[:, 2:4] <= (*pixels.shape[1::-1],)).all()
    assert len(found) <= 20


@pytest.mark.parametrize("size", [(300, 200), (20, 15), (64, 500)], ids=["grey", "too small", "a strip"])
def test_where_nothing_is_nobody_is_found(size: tuple[int, int]) -> None:
    assert hog.detect(np.full((*size, 3), 128, np.uint8)).shape == (0, 5)


# Mask R-CNN


class FakeNetwork(torch.nn.Module):
    """Finds a person, a bicycle and a shadow, whatever it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3)
        self.seen: list[torch.Tensor] = []

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        self.seen += images
        corners = torch.tensor([[10.0, 20, 40, 80], [0, 0, 5, 5], [1, 1, 9, 9]])
        return [{"boxes": corners, "labels": torch.tensor([1, 2, 1]), "scores": torch.tensor([0.75, 0.9, 0.01])}]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """Stands in for torchvision's, which cannot be imported on every machine."""
    network = FakeNetwork()
    fake = ModuleType("torchvision.models.detection")
    fake.maskrcnn_resnet50_fpn = lambda **_: network  # type: ignore[attr-defined]
    for name in ("torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    return network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(FakeNetwork().state_dict(), tmp_path / mask_rcnn.FILE)
    return tmp_path


def test_people_above_the_least_score_are_given_with_width_and_height(network: FakeNetwork, weights: Path) -> None:
    detect = mask_rcnn.load(weights, "cpu")
    found = detect(np.full((4, 6, 3), (255, 0, 51), np.uint8))
    np.testing.assert_array_equal(found, [[10, 20, 30, 60, 0.75]])
    assert network.seen[0].shape == (3, 4, 6) and not network.training
    np.testing.assert_allclose(network.seen[0][:, 0, 0], [1, 0, 0.2])


def test_normalisation_is_that_of_the_training_of_the_weights(network: FakeNetwork, weights: Path) -> None:
    mask_rcnn.load(weights / mask_rcnn.FILE, "cpu")
    assert network.norm.eps == 0


@pytest.mark.parametrize("content", [b"no weights", None], ids=["another file", "of another network"])
def test_weights_that_do_not_fit_are_told(network: FakeNetwork, weights: Path, content: bytes | None) -> None:
    if content is None:
        torch.save({"a": torch.zeros(1)}, weights / mask_rcnn.FILE)
    else:
        (weights / mask_rcnn.FILE).write_bytes(content)
    with pytest.raises(InputError, match=rf"{mask_rcnn.FILE}: does not hold the weights of Mask R-CNN; fetch"):
        mask_rcnn.load(weights, "cpu")


def test_without_torchvision_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match=r"torchvision: cannot be imported .*pip install 'posetables\[detectors\]'"):
        mask_rcnn.load(tmp_path, "cpu")
