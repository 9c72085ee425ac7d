"""The conventions of each data set hold of its real files and of synthetic ones, and of no file that breaks them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from posetables.data.conventions import Check, coco, coco_test, flic, lsp, lspet, mpii, mpii_mat
from posetables.data.people import Labels, People
from posetables.data.readers import flic as flic_reader
from posetables.data.readers import lsp as lsp_reader
from posetables.data.readers import mpii as mpii_reader
from posetables.data.readers import mpii_mat as mpii_mat_reader
from posetables.data.synthetic import coco as coco_people
from posetables.data.synthetic import coco_test as coco_test_images
from posetables.data.synthetic import flic as flic_people
from posetables.data.synthetic import lsp as lsp_people
from posetables.data.synthetic import lspet as lspet_people
from posetables.data.synthetic import mpii as mpii_people
from posetables.data.synthetic import mpii_mat as mpii_mat_people

MIRROR = os.environ.get("POSETABLES_MIRROR", "")


def real(dataset: str) -> Path:
    """Its folder in the mirror."""
    if not MIRROR or not (Path(MIRROR) / dataset).is_dir():
        pytest.skip(f"needs real labels: set POSETABLES_MIRROR to a folder that holds {dataset}/")
    return Path(MIRROR) / dataset


def wrong(checks: Iterator[Check]) -> list[str]:
    """Beginnings of the names of those that do not hold."""
    return [check.name.partition(":")[0] for check in checks if check.holds is False]


def relabelled(people: People, name: str, change: Callable[[Labels], Labels]) -> People:
    return replace(people, labels={**people.labels, name: change(people.labels[name])})


# --- LSP -------------------------------------------------------------------------------------------------------------

LSP = {"train": (1, 6), "test": (7, 10)}


@pytest.fixture
def lsp_made(tmp_path: Path) -> People:
    lsp_people.write(tmp_path, LSP, 1)
    return lsp_reader.read(tmp_path, LSP)


def test_lsp_holds_of_real_and_synthetic_people(lsp_made: People) -> None:
    assert wrong(lsp.conventions(lsp_made)) == []
    people = lsp_reader.read(real("lsp"), {"train": (1, 1000), "test": (1001, 2000)})
    occluded, first, agreed = lsp.conventions(people)
    assert (occluded.seen, agreed.seen) == ("7.3 %", "93.87 %")
    assert occluded.holds and first.holds and agreed.holds


def test_flags_of_lsp_that_mean_the_opposite_are_told(lsp_made: People) -> None:
    inverted = relabelled(lsp_made, "pc", lambda labels: Labels(labels.joints, 3 - labels.visible))
    assert wrong(lsp.conventions(inverted)) == ["third row is 1 where a joint is occluded"]


def test_labels_of_lsp_that_count_from_0_are_told() -> None:
    people = lsp_reader.read(real("lsp"), {"train": (1, 1000), "test": (1001, 2000)})
    shifted = relabelled(people, "oc", lambda labels: Labels(labels.joints - 1, labels.visible))
    assert "pixels count from 1" in wrong(lsp.conventions(shifted))


def test_label_files_of_lsp_that_were_exchanged_are_told() -> None:
    people = lsp_reader.read(real("lsp"), {"train": (1, 1000), "test": (1001, 2000)})
    swapped = replace(people, labels={"pc": people.labels["oc"], "oc": people.labels["pc"]})
    assert wrong(lsp.conventions(swapped)) == ["joints_OC.mat is observer-centric"]


# --- LSPET -----------------------------------------------------------------------------------------------------------


def test_lspet_holds_of_real_and_synthetic_people(tmp_path: Path) -> None:
    lspet_people.write(tmp_path, {"train": (1, 8)}, 1)
    assert wrong(lspet.native(tmp_path)) == []
    assert wrong(lspet.native(real("lspet"))) == []


def test_flags_of_lspet_that_mean_what_those_of_lsp_mean_are_told(tmp_path: Path) -> None:
    lspet_people.write(tmp_path, {"train": (1, 8)}, 1)
    joints = loadmat(tmp_path / "joints.mat")["joints"]
    joints[:, 2] = 1 - joints[:, 2]
    savemat(tmp_path / "joints.mat", {"joints": joints})
    assert wrong(lspet.native(tmp_path)) == [
        "third column is 1 where a joint is visible",
        "labelled joints outside of their image",
        "unlabelled joints outside of their image",
    ]


# --- FLIC ------------------------------------------------------------------------------------------------------------

FLIC = {"train": (1, 12), "test": (1, 12)}


@pytest.fixture
def flic_made(tmp_path: Path) -> People:
    flic_people.write(tmp_path, FLIC, 1)
    return flic_reader.read(tmp_path, FLIC)


def test_flic_holds_of_real_and_synthetic_people(flic_made: People) -> None:
    assert wrong(flic.conventions(flic_made)) == []
    people = flic_reader.read(real("flic"), {"train": (1, 3987), "test": (1, 1016)})
    checks = list(flic.conventions(people))
    assert wrong(iter(checks)) == []
    assert [check.seen for check in checks[:2]] == ["199 of 3,987 people", "48 of 1,016 people"]
    assert all(check.holds for check in checks)


def test_a_flic_file_that_was_relabelled_before_is_told() -> None:
    people = flic_reader.read(real("flic"), {"train": (1, 3987), "test": (1, 1016)})
    before = replace(people, labels={"pc": people.labels["oc"], "oc": people.labels["oc"]})
    assert wrong(flic.conventions(before)) == ["seen from behind, train", "seen from behind, test"]


def test_people_of_flic_who_were_not_relabelled_are_told(flic_made: People) -> None:
    behind = flic_made.labels["pc"].joints.copy()
    behind[:, :, 0] *= -1
    labels = Labels(behind, flic_made.labels["pc"].visible)
    assert "oc is relabelled" in wrong(flic.conventions(replace(flic_made, labels={"pc": labels, "oc": labels})))


# --- MPII ------------------------------------------------------------------------------------------------------------

MPII = {"train": (1, 12), "val": (1, 12)}


@pytest.fixture
def mpii_made(tmp_path: Path) -> People:
    mpii_people.write(tmp_path, MPII, 1)
    return mpii_reader.read(tmp_path, MPII)


def test_mpii_holds_of_real_and_synthetic_people(mpii_made: People) -> None:
    assert wrong(mpii.conventions(mpii_made)) == []
    people = mpii_reader.read(real("mpii"), {"train": (1, 22246), "val": (1, 2958)})
    checks = list(mpii.conventions(people))
    assert all(check.holds for check in checks)
    assert [check.seen for check in checks[:3]] == ["0.1667", "0.0753", "0 of 2,958 people"]


def test_scales_of_mpii_that_were_adjusted_twice_are_told(mpii_made: People) -> None:
    assert mpii_made.side is not None
    twice = replace(mpii_made, side=1.25 * mpii_made.side)
    assert "scale is raw" in wrong(mpii.conventions(twice))


@pytest.mark.parametrize("times", [-1, 1])
def test_centres_of_mpii_that_were_lowered_twice_or_never_are_told(mpii_made: People, times: int) -> None:
    assert mpii_made.center is not None and mpii_made.side is not None
    lowered = mpii_made.center + times * np.outer(15 * mpii_made.side / 250, [0, 1])
    assert wrong(mpii.conventions(replace(mpii_made, center=lowered))) == ["centre is raw"]


def test_heads_of_mpii_without_a_size_or_of_other_people_are_told(mpii_made: People) -> None:
    head = mpii_made.measures["head"]
    lost, other = head.copy(), np.roll(head, 1)
    lost[-1] = np.nan
    assert wrong(mpii.conventions(replace(mpii_made, measures={"head": lost}))) == ["heads of val without a size"]
    assert wrong(mpii.conventions(replace(mpii_made, measures={"head": other}))) == [
        "heads of val follow from the scale"
    ]


def test_test_people_of_mpii_with_joints_are_told(tmp_path: Path) -> None:
    mpii_mat_people.write(tmp_path, {"test": (1, 6)}, 1)
    people = mpii_mat_reader.read(tmp_path, {"test": (1, 3)})
    assert wrong(mpii_mat.conventions(people)) == []
    told = replace(people, labels={"pc": Labels(np.zeros((3, 16, 2)), np.ones((3, 16)))})
    assert wrong(mpii_mat.conventions(told)) == ["test people with labelled joints"]


# --- COCO ------------------------------------------------------------------------------------------------------------

COCO = {"train": (1, 4), "val": (1, 6)}
VAL = "annotations/person_keypoints_val2017.json"


def test_coco_holds_of_real_and_synthetic_people(tmp_path: Path) -> None:
    coco_people.write(tmp_path, COCO, 1)
    checks = list(coco.native(tmp_path))
    assert wrong(iter(checks)) == []
    assert {check.name.partition(":")[0] for check in checks} == set(COCO)
    assert wrong(coco.native(real("coco_mini"))) == []


def test_the_images_of_test_dev_are_examined_though_nobody_is_labelled(tmp_path: Path) -> None:
    coco_test_images.write(tmp_path, {"test-dev": (1, 3)}, 1)
    assert [check.holds for check in coco_test.native(tmp_path)] == [True, True]


@pytest.mark.parametrize(
    ("section", "change", "broken"),
    [
        ("annotations", {"num_keypoints": 18}, "num_keypoints is not the number of labelled joints"),
        ("annotations", {"bbox": [390.0, 10.0, 50.0, 20.0]}, "boxes that leave their image"),
        ("annotations", {"image_id": 7}, "people in an image that is not listed"),
        ("images", {"file_name": "000000000001.jpg"}, "ids that are not the number in file_name"),
        ("categories", {"keypoints": ["nose"]}, "joints are in our order"),
    ],
)
def test_a_broken_convention_of_coco_is_told_by_its_name(
    tmp_path: Path, section: str, change: dict[str, Any], broken: str
) -> None:
    coco_people.write(tmp_path, {"val": (1, 6)}, 1)
    content = json.loads((tmp_path / VAL).read_text())
    content[section][0].update(change)
    (tmp_path / VAL).write_text(json.dumps(content))
    found = [check.name for check in coco.native(tmp_path) if not check.holds]
    assert found == [f"val: {broken}"]


def test_ids_of_coco_that_name_two_people_are_told(tmp_path: Path) -> None:
    coco_people.write(tmp_path, {"val": (1, 6)}, 1)
    content = json.loads((tmp_path / VAL).read_text())
    content["annotations"].append(content["annotations"][0])
    (tmp_path / VAL).write_text(json.dumps(content))
    found = [check.name for check in coco.native(tmp_path) if not check.holds]
    assert found == ["val: ids of people that are there twice"]
