"""Files for the servers of benchmarks: what their own tools read out of them, and what they would refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.io import loadmat, savemat

from posetables.data.readers import coco as coco_reader
from posetables.data.submissions import coco_test, mpii_mat
from posetables.data.synthetic import coco as coco_people
from posetables.data.synthetic import mpii_mat as mpii_people
from posetables.errors import InputError

# --- COCO ------------------------------------------------------------------------------------------------------------

IMAGES = (3, 17)


def poses() -> coco_test.Results:
    joints = np.arange(2 * 17 * 2, dtype=float).reshape(2, 17, 2) / 7 - 2
    joints[1, 5] = np.nan
    return coco_test.Results(np.array([17, 3]), joints, np.array([0.25, 0.5]))


def test_poses_of_coco_come_back_as_they_were_to_a_hundredth_of_a_pixel(tmp_path: Path) -> None:
    coco_test.write(tmp_path / "poses.json", poses())
    read = coco_test.read(tmp_path / "poses.json", IMAGES)
    np.testing.assert_array_equal(read.image, poses().image)
    np.testing.assert_array_equal(read.score, poses().score)
    np.testing.assert_allclose(read.joints, poses().joints, atol=0.005)
    entry = json.loads((tmp_path / "poses.json").read_text())[1]
    assert entry.keys() == {"image_id", "category_id", "keypoints", "score"}
    assert entry["category_id"] == 1 and len(entry["keypoints"]) == 51
    assert entry["keypoints"][15:18] == [0, 0, 0] and set(entry["keypoints"][2::3]) == {0, 1}


def test_pycocotools_finds_a_perfect_submission_perfect(tmp_path: Path) -> None:
    coco_people.write(tmp_path, {"val": (1, 12)}, 1)
    people = coco_reader.read(tmp_path, {"val": (1, 12)})
    labels = people.labels["pc"]
    known = (labels.visible > 0).any(1)
    number = np.array([int(Path(image).stem) for image in people.images])[known]
    joints = np.where(labels.visible[known, :, None] > 0, labels.joints[known], np.nan)
    coco_test.write(tmp_path / "poses.json", coco_test.Results(number, joints, np.ones(len(number))))
    truth = COCO(str(tmp_path / "annotations/person_keypoints_val2017.json"))
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "poses.json")), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert known.sum() > 5
    assert evaluation.stats[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image_id": 5}, "image_id 5 is no image of the split"),
        ({"category_id": 2}, "category_id: poses are of people"),
        ({"keypoints": [1.0] * 34}, "keypoints of entry 1 is not a list of 51 numbers"),
        ({"keypoints": [float("inf")] * 51}, "keypoints of entry 1 is not a list of 51 numbers"),
        ({"score": None}, "score of entry 1 is not a number"),
    ],
)
def test_what_the_server_of_coco_would_refuse_is_refused_here(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    path = tmp_path / "poses.json"
    coco_test.write(path, poses())
    entries = json.loads(path.read_text())
    entries[0] |= change
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match=told):
        coco_test.read(path, IMAGES)


# --- MPII ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Two images for training and eight of the test; in some of them several people."""
    mpii_people.write(tmp_path, {"train": (1, 2), "test": (1, 8)}, 1)
    return tmp_path


@pytest.fixture
def joints(labels: Path) -> dict[str, np.ndarray]:
    """The first person of every image of the test."""
    rng = np.random.default_rng(0)
    return {f"{Path(frame.name).stem}-1": rng.uniform(-5, 400, (16, 2)) for frame in mpii_mat.frames(labels)}


def test_joints_of_mpii_stand_where_its_evaluation_looks_for_them(labels: Path, joints: dict[str, np.ndarray]) -> None:
    mpii_mat.write(labels / "pred.mat", labels, joints)
    pred = loadmat(labels / "pred.mat", struct_as_record=False, squeeze_me=True)["pred"]
    release = loadmat(labels / mpii_mat.LABELS, struct_as_record=False, squeeze_me=True)["RELEASE"]
    test = release.annolist[release.img_train == 0]
    assert [each.image.name for each in pred] == [each.image.name for each in test]
    assert len(pred) == 8
    several = 0
    for ours, theirs in zip(pred, test, strict=True):
        found, asked = np.atleast_1d(ours.annorect), np.atleast_1d(theirs.annorect)
        assert [(each.scale, each.objpos.x) for each in found] == [(each.scale, each.objpos.x) for each in asked]
        points = found[0].annopoints.point
        assert [point.id for point in points] == list(range(16))
        xy = np.array([[point.x, point.y] for point in points])
        np.testing.assert_allclose(xy - 1, joints[f"{Path(ours.image.name).stem}-1"])
        assert all(each.annopoints.size == 0 for each in found[1:])
        several += len(found) > 1
    assert several > 0


def test_joints_of_mpii_come_back_and_the_same_joints_give_the_same_bytes(
    labels: Path, joints: dict[str, np.ndarray]
) -> None:
    mpii_mat.write(labels / "pred.mat", labels, joints)
    first = (labels / "pred.mat").read_bytes()
    read = mpii_mat.read(labels / "pred.mat", labels)
    assert read.keys() == joints.keys()
    for name, found in read.items():
        np.testing.assert_allclose(found, joints[name])
    mpii_mat.write(labels / "pred.mat", labels, joints)
    assert (labels / "pred.mat").read_bytes() == first


def test_joints_of_nobody_of_the_test_are_refused(labels: Path, joints: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match="annorect: nobody-1 is nobody of the test"):
        mpii_mat.write(labels / "pred.mat", labels, joints | {"nobody-1": np.zeros((16, 2))})
    assert not (labels / "pred.mat").exists()


def test_images_of_another_number_or_order_are_refused(labels: Path, joints: dict[str, np.ndarray]) -> None:
    mpii_mat.write(labels / "pred.mat", labels, joints)
    pred = loadmat(labels / "pred.mat")["pred"]
    for wrong in (pred[:, 1:], pred[:, ::-1]):
        savemat(labels / "pred.mat", {"pred": wrong})
        with pytest.raises(InputError, match="images are not the 8 of the test in their order"):
            mpii_mat.read(labels / "pred.mat", labels)


def test_a_person_who_lacks_a_joint_and_an_image_that_lacks_a_person_are_refused(
    labels: Path, joints: dict[str, np.ndarray]
) -> None:
    lost = joints | {next(iter(joints)): np.full((16, 2), np.nan)}
    mpii_mat.write(labels / "pred.mat", labels, lost)
    with pytest.raises(InputError, match="not joints 0 to 15, each once and with a place"):
        mpii_mat.read(labels / "pred.mat", labels)
    mpii_mat.write(labels / "pred.mat", labels, joints)
    pred = loadmat(labels / "pred.mat")["pred"]
    several = next(each for each in pred[0] if each["annorect"].shape[1] > 1)
    several["annorect"] = several["annorect"][:, :1]
    savemat(labels / "pred.mat", {"pred": pred})
    with pytest.raises(InputError, match="has 1 rectangles, the annotations have 2"):
        mpii_mat.read(labels / "pred.mat", labels)
