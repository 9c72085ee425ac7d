"""Synthetic people in the layout of COCO: masks and joints that agree, crowds, and what COCO leaves unlabelled."""

import json
from contextlib import redirect_stdout
from io import StringIO

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from posetables.data.skeletons.coco import SKELETON
from posetables.data.synthetic import coco, coco_test

# pycocotools 2.0 decodes masks in the way of NumPy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

IMAGES = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    coco.write(folder, {"train": (1, 2), "val": (1, IMAGES)}, seed=0)
    return folder


@pytest.fixture(scope="module")
def val(folder):
    """The validation labels, read by COCO's own tool."""
    with redirect_stdout(StringIO()):
        return COCO(str(folder / "annotations/person_keypoints_val2017.json"))


@pytest.fixture(scope="module")
def people(val):
    return [annotation for annotation in val.dataset["annotations"] if not annotation["iscrowd"]]


@pytest.fixture(scope="module")
def masks(val):
    return {number: val.annToMask(annotation) for number, annotation in val.anns.items()}


def keypoints(annotation):
    return np.reshape(annotation["keypoints"], (17, 3))


def test_images_are_there_under_their_ids_in_the_size_that_the_file_says(folder, val):
    assert len(val.imgs) == IMAGES
    for number, image in val.imgs.items():
        assert image["file_name"] == f"{number:012d}.jpg"
        assert cv2.imread(str(folder / "val2017" / image["file_name"])).shape[:2] == (image["height"], image["width"])


def test_ids_are_unique_over_the_splits(folder, val):
    train = json.loads((folder / "annotations/person_keypoints_train2017.json").read_text())
    assert not {image["id"] for image in train["images"]} & val.imgs.keys()
    assert not {annotation["id"] for annotation in train["annotations"]} & val.anns.keys()
    assert len(val.anns) == len(val.dataset["annotations"])


def test_of_test_dev_only_a_list_of_images_is_given(tmp_path):
    coco_test.write(tmp_path, {"test-dev": (1, 3)}, seed=0)
    content = json.loads((tmp_path / "annotations/image_info_test-dev2017.json").read_text())
    assert len(content["images"]) == 3 and "annotations" not in content
    assert {path.name for path in (tmp_path / "test2017").iterdir()} == {it["file_name"] for it in content["images"]}


def test_the_category_is_that_of_coco(val):
    (category,) = val.dataset["categories"]
    assert [name.replace("_", " ") for name in category["keypoints"]] == list(SKELETON.joints)
    assert [16, 14] in category["skeleton"] and len(category["skeleton"]) == 19


def test_there_are_images_with_nobody_with_one_and_with_several_people(val):
    numbers = [len(val.getAnnIds([image], iscrowd=False)) for image in val.imgs]
    assert {0, 1, 2, 3} <= set(numbers) <= set(range(7))


def test_joints_are_inside_the_image_or_zero(val, people):
    for annotation in people:
        image, joints = val.imgs[annotation["image_id"]], keypoints(annotation)
        labelled = joints[:, 2] > 0
        assert annotation["num_keypoints"] == labelled.sum()
        assert (joints[labelled, :2] >= 0).all() and (joints[labelled, :2] < (image["width"], image["height"])).all()
        assert not joints[~labelled].any()


def test_all_three_visibilities_occur(people):
    labelled = np.stack([keypoints(annotation)[:, 2] for annotation in people if annotation["num_keypoints"]])
    unlabelled, hidden, visible = ((labelled == flag).mean() for flag in (0, 1, 2))
    assert unlabelled > 0.15 and 0.02 < hidden < 0.2 and visible > 0.4


def test_small_people_have_no_joints_and_most_large_ones_do(people):
    small = [annotation["num_keypoints"] for annotation in people if annotation["area"] < 32**2]
    large = [annotation["num_keypoints"] for annotation in people if annotation["area"] > 64**2]
    assert small and not any(small)
    assert np.mean([number > 0 for number in large]) > 0.9


def test_areas_of_medium_and_large_people_occur(people):
    areas = np.array([annotation["area"] for annotation in people])
    assert (areas > 96**2).mean() > 0.1 and ((areas > 32**2) & (areas < 96**2)).mean() > 0.2


def test_outlines_cover_the_area_and_fill_the_box(val, masks):
    for annotation in val.anns.values():
        mask = masks[annotation["id"]]
        assert 0.95 * annotation["area"] - 20 < mask.sum() < 1.25 * annotation["area"] + 20, "polygons fill holes"
        x, y, width, height = annotation["bbox"]
        rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        found = (columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1)
        np.testing.assert_allclose(found, (x, y, width, height), atol=2)


def test_visible_joints_lie_on_the_mask_of_their_person(masks, people):
    on = []
    for annotation in people:
        mask = cv2.dilate(masks[annotation["id"]], np.ones((5, 5)))
        on += [mask[y, x] for x, y, visible in keypoints(annotation) if visible == 2]
    assert np.mean(on) > 0.97


def test_joints_behind_other_people_are_not_visible(masks, people):
    inner = {number: cv2.erode(mask, np.ones((7, 7))) for number, mask in masks.items()}
    for annotation in people:
        others = [it["id"] for it in people if it["image_id"] == annotation["image_id"] and it is not annotation]
        seen = [(x, y) for x, y, visible in keypoints(annotation) if visible == 2]
        assert not any(inner[other][y, x] and not masks[annotation["id"]][y, x] for x, y in seen for other in others)


def test_crowds_are_run_lengths_without_joints(val, masks):
    crowds = val.loadAnns(val.getAnnIds(iscrowd=True))
    assert len(crowds) >= 3
    for crowd in crowds:
        assert crowd["num_keypoints"] == 0 and not any(crowd["keypoints"])
        assert masks[crowd["id"]].sum() == crowd["area"] == sum(crowd["segmentation"]["counts"][1::2])


def test_people_crowd(val, people):
    def share(a, b):
        low, high = np.maximum(a[:2], b[:2]), np.minimum(np.add(a[:2], a[2:]), np.add(b[:2], b[2:]))
        return np.prod(np.maximum(high - low, 0)) / min(a[2] * a[3], b[2] * b[3])

    images = {}
    for annotation in people:
        images.setdefault(annotation["image_id"], []).append(annotation["bbox"])
    overlaps = [share(a, b) for boxes in images.values() for i, a in enumerate(boxes) for b in boxes[:i]]
    assert np.mean(np.array(overlaps) > 0.3) > 0.1
