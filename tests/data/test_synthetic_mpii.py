"""Synthetic people in both layouts of MPII: raw and adjusted scales, joints out of the image, people without labels."""

import gzip
import json

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.data.synthetic import mpii, mpii_mat

PEOPLE = {"train": 40, "val": 25}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpii")
    mpii.write(folder, {split: (1, count) for split, count in PEOPLE.items()}, seed=0)
    return folder


@pytest.fixture(scope="module")
def entries(folder):
    return json.loads(gzip.decompress((folder / "mpii_annotations.json.gz").read_bytes()))


@pytest.fixture(scope="module")
def truth(folder):
    return loadmat(folder / "tompson_detections_our_format.mat")


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpii_mat")
    mpii_mat.write(folder, {"train": (1, 12), "test": (1, 20)}, seed=0)
    return loadmat(folder / "mpii_human_pose_v1_u12_1.mat", struct_as_record=False)["RELEASE"][0, 0]


def joints_of(entries):
    return np.array([entry["joint_self"] for entry in entries])


def test_the_json_has_the_people_of_both_splits_mixed(folder, entries):
    validation = [entry["isValidation"] for entry in entries]
    assert (len(entries), sum(validation)) == (sum(PEOPLE.values()), PEOPLE["val"])
    assert validation[:4] == [0.0, 1.0, 0.0, 1.0]
    assert {path.name for path in (folder / "images").iterdir()} == {entry["img_paths"] for entry in entries}


def test_the_json_has_the_keys_of_the_real_one(entries):
    assert {key for entry in entries for key in entry} == {
        *("dataset", "isValidation", "img_paths", "img_width", "img_height", "objpos", "joint_self"),
        *("scale_provided", "joint_others", "scale_provided_other", "objpos_other", "annolist_index"),
        *("people_index", "numOtherPeople"),
    }


def test_joints_lie_inside_the_image_or_are_zero(folder, entries):
    for entry in entries:
        height, width = cv2.imread(str(folder / "images" / entry["img_paths"])).shape[:2]
        assert (entry["img_width"], entry["img_height"]) == (width, height)
        joints = np.array(entry["joint_self"])
        labelled = joints[:, :2].any(1)
        assert (joints[labelled, :2] >= 1).all() and (joints[labelled, :2] <= (width, height)).all()
        assert not joints[~labelled].any()


def test_legs_leave_the_image_more_often_than_arms_and_some_joints_are_hidden(entries):
    joints = joints_of(entries)
    unlabelled = dict(zip(MPII.joints, (~joints[:, :, :2].any(2)).mean(0), strict=True))
    assert unlabelled["right ankle"] > unlabelled["right knee"] > unlabelled["right shoulder"]
    assert 0.1 < unlabelled["right ankle"] < 0.6
    assert unlabelled["head top"] < 0.1
    assert 0.03 < (joints[:, :, :2].any(2) & (joints[:, :, 2] == 0)).mean() < 0.3


def test_the_truth_of_val_has_its_people_in_the_order_of_the_json(entries, truth):
    people = joints_of([entry for entry in entries if entry["isValidation"]])
    np.testing.assert_array_equal(truth["pos_gt_src"].transpose(2, 0, 1), people[:, :, :2])
    np.testing.assert_array_equal(truth["jnt_missing"].T, (people == 0).all(2))


def test_scale_head_size_and_head_length_keep_the_ratios_of_the_real_set(entries, truth):
    val = [entry for entry in entries if entry["isValidation"]]
    people, scale = joints_of(val), np.array([entry["scale_provided"] for entry in val])
    diagonal = np.linalg.norm(truth["headboxes_src"][1] - truth["headboxes_src"][0], axis=0)
    # Measured on the 2,958 real people: 200 scale = 4.8 head boxes, and the head is .8 of a box's diagonal.
    np.testing.assert_allclose(diagonal / (200 * scale), 0.2083, rtol=2e-3)
    neck, top = (people[:, MPII.index(joint), :2] for joint in ("upper neck", "head top"))
    known = neck.any(1) & top.any(1)
    np.testing.assert_allclose((np.linalg.norm(top - neck, axis=1) / diagonal)[known], 0.8, rtol=1e-3)


def test_a_whole_person_is_about_as_long_as_200_pixels_a_unit_of_scale(entries):
    joints = joints_of(entries)
    whole = joints[:, :, :2].any(2).all(1)
    assert whole.sum() > 15
    extent = np.ptp(joints[whole, :, :2], axis=1).max(1)
    scale = np.array([entry["scale_provided"] for entry in entries])[whole]
    assert 0.7 < np.median(extent / (200 * scale)) < 1.15


def test_bystanders_are_told_of_in_the_entry_of_the_person_in_front(entries):
    alone = [entry for entry in entries if entry["numOtherPeople"] == 0]
    others = [entry for entry in entries if entry["numOtherPeople"] == 1]
    assert len(alone) + len(others) == len(entries) and len(others) > 5
    assert all(entry["joint_others"]["_ArraySize_"] == [0, 0] for entry in alone)
    assert all(np.shape(entry["joint_others"]) == (16, 3) for entry in others)


def test_the_official_file_says_of_test_people_their_place_and_scale_alone(release):
    train = release.img_train[0].astype(bool)
    assert train.sum() == 12 and train.size == release.annolist.shape[1] == 32
    for image, annotated in zip(release.annolist[0], train, strict=True):
        fields = image.annorect[0, 0]._fieldnames
        assert fields == (
            ["x1", "y1", "x2", "y2", "annopoints", "scale", "objpos"] if annotated else ["scale", "objpos"]
        )
        assert image.annorect[0, 0].objpos[0, 0].x.item() > 0


def test_the_official_file_leaves_unlabelled_joints_out(release):
    people = [person for image in release.annolist[0] for person in image.annorect[0] if "x1" in person._fieldnames]
    points = [person.annopoints[0, 0].point[0] for person in people]
    assert {len(of_one) for of_one in points} > {16}
    assert all(point.x.item() > 0 for of_one in points for point in of_one)
    head = {MPII.index("upper neck"), MPII.index("head top")}
    for of_one in points:
        assert {point.id.item() for point in of_one if point.is_visible.size == 0} <= head


def test_the_official_file_and_the_json_agree_on_head_box_and_scale(release):
    for image in release.annolist[0]:
        for person in image.annorect[0]:
            if "x1" in person._fieldnames:
                diagonal = np.hypot(*((getattr(person, f"{a}2") - getattr(person, f"{a}1")).item() for a in "xy"))
                assert person.scale.item() == pytest.approx(0.6 * diagonal / 25)


def test_one_person_of_every_image_stands_apart_from_others(release):
    assert [numbers.tolist() for numbers in release.single_person[:, 0]] == [[[1]]] * 32
    assert max(image.annorect.shape[1] for image in release.annolist[0]) == 2
