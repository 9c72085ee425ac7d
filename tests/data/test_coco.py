"""COCO's reader against pycocotools, and what it refuses."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

from posetables.data import jsonfiles
from posetables.data.readers import coco, coco_test
from posetables.data.skeletons.coco import SKELETON
from posetables.data.synthetic import coco as synthetic_coco
from posetables.data.synthetic import coco_test as synthetic_coco_test
from posetables.errors import InputError

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "coco_mini").is_dir(),
    reason="needs real labels of COCO: set POSETABLES_MIRROR to a folder that holds coco_mini/",
)
SPLITS = {"train": (1, 80), "val": (1, 79)}


def person(number: int, image: int, **changes: Any) -> dict[str, Any]:
    """Nose at 10, 20 visible, left eye at 11, 21 hidden, and no other joint."""
    keypoints = [10, 20, 2, 11, 21, 1] + [0] * 45
    entry = {"id": number, "image_id": image, "category_id": 1, "bbox": [5, 10, 21, 41], "area": 300.5, "iscrowd": 0}
    return entry | {"keypoints": keypoints} | changes


def image(number: int) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number:012d}.jpg", "width": 100, "height": 80}


CONTENT = {
    "images": [image(9), image(3), image(7)],
    "annotations": [person(50, 3), person(51, 9), person(52, 3, iscrowd=1, keypoints=[0] * 51), person(53, 7)],
}


def write(folder: Path, content: Any, name: str = "person_keypoints_val2017.json") -> Path:
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / name).write_text(json.dumps(content))
    return folder


def refusal(folder: Path, content: Any, splits: dict[str, tuple[int, int]] | None = None) -> str:
    """The line that the user is told."""
    with pytest.raises(InputError) as error:
        coco.read(write(folder, content), splits or {"val": (1, 3)})
    assert "\n" not in str(error.value)
    return str(error.value)


def changed(**changes: Any) -> dict[str, Any]:
    """The content with its second person changed."""
    people = [dict(entry) for entry in CONTENT["annotations"]]
    people[1] |= changes
    return CONTENT | {"annotations": people}


# Real labels


@pytest.fixture(scope="module")
def official() -> dict[str, COCO]:
    with redirect_stdout(StringIO()):
        return {split: COCO(MIRROR / f"coco_mini/annotations/person_keypoints_{split}2017.json") for split in SPLITS}


@needs_mirror
def test_everybody_is_read_as_pycocotools_reads_them(official: dict[str, COCO]) -> None:
    people = coco.read(MIRROR / "coco_mini", SPLITS)
    assert len(people.names) == len(set(people.names)) == 172 + 118
    for i, name in enumerate(people.names):
        stem, _, number = name.partition("-")
        truth = official[people.split[i]].anns[int(number)]
        entry = official[people.split[i]].imgs[truth["image_id"]]
        keypoints = np.reshape(truth["keypoints"], (17, 3))
        assert people.images[i] == f"{people.split[i]}2017/{entry['file_name']}" and entry["file_name"] == f"{stem}.jpg"
        np.testing.assert_array_equal(people.labels["pc"].joints[i], keypoints[:, :2])
        np.testing.assert_array_equal(people.labels["pc"].visible[i], keypoints[:, 2])
        assert (people.labels["pc"].visible[i] > 0).sum() == truth["num_keypoints"]
        assert people.measures["area"][i] == truth["area"] and people.measures["crowd"][i] == truth["iscrowd"]
        np.testing.assert_array_equal(people.measures["box"][i], truth["bbox"])


@needs_mirror
def test_as_many_people_have_joints_as_the_sample_says() -> None:
    people = coco.read(MIRROR / "coco_mini", SPLITS)
    known = (people.labels["pc"].visible > 0).any(1)
    split = np.array(people.split)
    assert (known[split == "train"].sum(), known[split == "val"].sum()) == (86, 68)


@needs_mirror
def test_images_with_nobody_in_them_are_listed(official: dict[str, COCO]) -> None:
    frames = coco.read(MIRROR / "coco_mini", SPLITS).frames
    for split, names in frames.items():
        assert {int(Path(name).stem) for name in names} == set(official[split].imgs)
        assert len(names) == SPLITS[split][1]


@needs_mirror
def test_98_in_100_labelled_joints_lie_in_the_boxes_that_are_cut_out() -> None:
    people = coco.read(MIRROR / "coco_mini", SPLITS)
    assert people.center is not None and people.side is not None
    from_center = np.abs(people.labels["pc"].joints - people.center[:, None]).max(2)
    inside = from_center <= people.side[:, None] / 2
    assert inside[people.labels["pc"].visible > 0].mean() > 0.98


@needs_mirror
def test_the_joints_are_those_of_the_label_file_in_its_order(official: dict[str, COCO]) -> None:
    (category,) = official["val"].loadCats([1])
    assert [name.replace("_", " ") for name in category["keypoints"]] == list(SKELETON.joints)


# The skeleton


def test_the_hierarchy_leads_from_the_nose_to_wrists_and_ankles() -> None:
    layers = [{SKELETON.joints[i].removeprefix("left ").removeprefix("right ") for i in it} for it in SKELETON.layers]
    assert layers == [{"nose"}, {"eye", "ear", "shoulder", "hip"}, {"elbow", "knee"}, {"wrist", "ankle"}]
    assert sum(map(len, SKELETON.layers)) == 17


def test_flipping_is_that_of_coco() -> None:
    # HRNet's flip pairs of COCO.
    pairs = [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]
    assert SKELETON.flip == (0, *(joint for a, b in pairs for joint in (b, a)))


# Made labels


def test_people_come_image_by_image_in_the_order_of_the_file(tmp_path: Path) -> None:
    people = coco.read(write(tmp_path, CONTENT), {"val": (1, 3)})
    assert people.names == ["000000000009-51", "000000000003-50", "000000000003-52", "000000000007-53"]
    assert people.measures["crowd"].tolist() == [0, 0, 1, 0]


def test_a_split_counts_images_of_the_file(tmp_path: Path) -> None:
    people = coco.read(write(tmp_path, CONTENT), {"val": (2, 3)})
    assert people.images == ["val2017/000000000003.jpg", "val2017/000000000003.jpg", "val2017/000000000007.jpg"]
    assert people.frames == {"val": ["val2017/000000000003.jpg", "val2017/000000000007.jpg"]}


@pytest.mark.parametrize(
    ("box", "center", "side"),
    [
        ([5, 10, 21, 41], (15, 30), 50),
        ([-10, 10, 31, 41], (15, 30), 50),
        ([80, 10, 61, 41], (89.5, 30), 50),
        ([5, 10, 0, 0], (5, 10), 1),
    ],
    ids=["inside", "beyond the left edge", "beyond the right edge", "of no size"],
)
def test_the_square_of_a_person_is_that_of_hrnet(
    tmp_path: Path, box: list[float], center: tuple[float, float], side: float
) -> None:
    people = coco.read(write(tmp_path, changed(bbox=box)), {"val": (1, 1)})
    assert people.center is not None and people.side is not None
    np.testing.assert_allclose(people.center[0], center)
    np.testing.assert_allclose(people.side[0], side)
    np.testing.assert_array_equal(people.measures["box"][0], box)


def test_an_image_range_without_people_gives_nobody_and_its_images(tmp_path: Path) -> None:
    people = coco.read(write(tmp_path, CONTENT | {"annotations": []}), {"val": (1, 2)})
    assert len(people.names) == 0 and people.labels["pc"].joints.shape == (0, 17, 2)
    assert len(people.frames["val"]) == 2


def test_of_test_dev_only_images_are_known(tmp_path: Path) -> None:
    write(tmp_path, {"images": CONTENT["images"]}, "image_info_test-dev2017.json")
    people = coco_test.read(tmp_path, {"test-dev": (1, 2)})
    assert people.frames == {"test-dev": ["test2017/000000000009.jpg", "test2017/000000000003.jpg"]}
    assert not people.names and not people.labels


# What is refused


def test_a_sample_in_the_place_of_the_whole_file_is_noticed(tmp_path: Path) -> None:
    line = refusal(tmp_path, CONTENT, {"val": (1, 5000)})
    assert "person_keypoints_val2017.json: images: 3, but splits ask for 5,000" in line


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/000000000009.jpg", "000000000008.jpg", None])
def test_a_file_name_that_is_not_the_number_of_its_image_is_refused(tmp_path: Path, name: str | None) -> None:
    images = [image(9) | {"file_name": name}, *CONTENT["images"][1:]]
    assert "file_name of 9 is not 000000000009.jpg" in refusal(tmp_path, CONTENT | {"images": images})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"keypoints": [1, 2, 2]}, "keypoints of entry 1 is not a list of 51 numbers"),
        ({"keypoints": [[1, 2, 2]] * 17}, "keypoints of entry 1 is not a list of 51 numbers"),
        ({"keypoints": [0, 0, 3] * 17}, "keypoints: a flag is none of 0, 1 and 2"),
        ({"bbox": [1, 2, 3, None]}, "bbox of entry 1 is not a list of 4 numbers"),
        ({"bbox": ["1", "2", "3", "4"]}, "bbox of entry 1 is not a list of 4 numbers"),
        ({"area": float("nan")}, "area of entry 1 is not a number"),
        ({"area": 10**400}, "area of entry 1 is not a number"),
        ({"iscrowd": "no"}, "iscrowd of entry 1 is not a number"),
        ({"image_id": None}, "image_id of entry 2 is not a number"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    assert told in refusal(tmp_path, changed(**changes))


@pytest.mark.parametrize(
    ("content", "told"),
    [([], "images is no list of objects"), ({"images": []}, "images: 0, but"), ({"images": [1]}, "images is no list"),
     (CONTENT | {"annotations": None}, "annotations is no list of objects")],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: Any, told: str) -> None:
    assert told in refusal(tmp_path, content)


def test_a_missing_a_damaged_and_a_huge_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file; fetch the data set again"):
        coco.read(tmp_path, {"val": (1, 1)})
    path = write(tmp_path, CONTENT) / "annotations/person_keypoints_val2017.json"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match="no JSON"):
        coco.read(tmp_path, {"val": (1, 1)})
    monkeypatch.setattr(jsonfiles, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger than 100 bytes"):
        coco.read(tmp_path, {"val": (1, 1)})


# Synthetic labels


def test_the_readers_read_what_the_synthetic_people_are_written_as(tmp_path: Path) -> None:
    synthetic_coco.write(tmp_path, {"train": (1, 2), "val": (1, 12)}, seed=0)
    people = coco.read(tmp_path, {"train": (1, 2), "val": (1, 12)})
    assert [len(people.frames[name]) for name in ("train", "val")] == [2, 12]
    assert set(people.split) == {"train", "val"} and all((tmp_path / image).is_file() for image in people.images)
    synthetic_coco_test.write(tmp_path, {"test-dev": (1, 2)}, seed=0)
    frames = coco_test.read(tmp_path, {"test-dev": (1, 2)}).frames
    assert len(frames["test-dev"]) == 2 and all((tmp_path / image).is_file() for image in frames["test-dev"])
