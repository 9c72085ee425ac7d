"""MPII: where counting starts, what is unlabelled, raw scales told from adjusted ones; its official file."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posetables.data.readers import mpii, mpii_mat
from posetables.data.skeletons.mpii import SKELETON
from posetables.errors import InputError

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "mpii").is_dir(),
    reason="needs MPII's label files: set POSETABLES_MIRROR to a folder that holds mpii/",
)
VAL = (False, True, False, True)


def entry(number: int) -> dict[str, Any]:
    """A person with a scale of `number`: pixels from 1, the right knee occluded, the left ankle unlabelled."""
    joints = [[100.0 * number + j, 50.0 + j, 1.0] for j in range(16)]
    joints[SKELETON.index("upper neck")] = [300.0, 400.0, 1.0]
    joints[SKELETON.index("head top")] = [300.0, 400.0 - 200 * number / 6, 1.0]
    joints[SKELETON.index("right knee")][2] = 0.0
    joints[SKELETON.index("left ankle")] = [0.0, 0.0, 0.0]
    return {
        "img_paths": f"{number:09d}.jpg",
        "isValidation": float(VAL[number - 1]),
        "people_index": 2.0,
        "objpos": [310.0, 410.0],
        "scale_provided": float(number),
        "joint_self": joints,
    }


def write(folder: Path, people: list[dict[str, Any]]) -> Path:
    with gzip.open(folder / mpii.LABELS, "wt") as file:
        json.dump(people, file)
    val = [person for person in people if person["isValidation"]]
    write_truth(folder, [person["joint_self"] for person in val], [person["scale_provided"] for person in val])
    return folder


def write_truth(folder: Path, joints: Any, scales: Any) -> None:
    """Joints a third of a pixel beside those of the JSON; heads of 25.004 pixels for each unit of scale."""
    diagonal = 25.004 / 0.6 * np.array([[0.6, 0.8]]).T * np.array(scales)
    truth = {
        "pos_gt_src": np.array(joints)[:, :, :2].transpose(1, 2, 0) + 0.3,
        "headboxes_src": np.stack([np.full_like(diagonal, 50), 50 + diagonal]),
    }
    savemat(folder / mpii.TRUTH, truth)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four people, the second and the fourth of the validation set."""
    return write(tmp_path, [entry(number) for number in (1, 2, 3, 4)])


def test_people_of_a_split_are_counted_in_the_order_of_the_file(folder: Path) -> None:
    people = mpii.read(folder, {"val": (2, 2), "train": (1, 2)})
    assert people.split == ["val", "train", "train"]
    assert people.images == [f"images/{i:09d}.jpg" for i in (4, 1, 3)]
    assert people.names == [f"{i:09d}-2" for i in (4, 1, 3)]


def test_pixels_are_counted_from_0_and_joints_are_visible_occluded_or_unlabelled(folder: Path) -> None:
    labels = mpii.read(folder, {"val": (1, 1)}).labels["pc"]
    ankle, knee, wrist = (SKELETON.index(joint) for joint in ("left ankle", "right knee", "left wrist"))
    assert labels.visible[0, [ankle, knee, wrist]].tolist() == [0, 1, 2]
    np.testing.assert_allclose(labels.joints[0, [ankle, knee, wrist]], [[0, 0], [200.3, 50.3], [214.3, 64.3]])


def test_the_box_is_that_of_the_stacked_hourglass(folder: Path) -> None:
    people = mpii.read(folder, {"val": (1, 1)})
    assert people.center is not None and people.side is not None
    assert people.center.tolist() == [[309, 409 + 15 * 2]]
    assert people.side.tolist() == [200 * 2 * 1.25]


def test_heads_of_val_are_those_of_published_scores_and_those_of_train_follow_from_the_scale(folder: Path) -> None:
    people = mpii.read(folder, {"train": (1, 2), "val": (1, 2)})
    np.testing.assert_allclose(people.measures["head"], [25, 75, 50.008, 100.016])


def test_heads_of_other_people_are_refused(folder: Path) -> None:
    write_truth(folder, [entry(number)["joint_self"] for number in (2, 3)], [2, 3])
    with pytest.raises(InputError, match="our_format.mat: pos_gt_src: person 2 is another one"):
        mpii.read(folder, {"val": (1, 1)})


def test_too_few_heads_are_refused(folder: Path) -> None:
    write_truth(folder, [entry(2)["joint_self"]], [2])
    with pytest.raises(InputError, match="our_format.mat: 1 people, mpii_annotations.json.gz has 2 of val"):
        mpii.read(folder, {"val": (1, 1)})


def test_scales_that_are_adjusted_already_are_refused_with_the_remedy(tmp_path: Path) -> None:
    people = [entry(number) for number in (1, 2, 3, 4)]
    adjusted = [person | {"scale_provided": 1.25 * person["scale_provided"]} for person in people]
    with pytest.raises(InputError, match="scale: .* it is 0.133 of the height, .* divide scale by 1.25"):
        mpii.read(write(tmp_path, adjusted), {"val": (1, 1)})


def test_without_any_head_nobody_can_tell_raw_scales(tmp_path: Path) -> None:
    people = [entry(number) for number in (1, 2)]
    for person in people:
        person["joint_self"][SKELETON.index("head top")] = [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match="nobody has a labelled head"):
        mpii.read(write(tmp_path, people), {"val": (1, 1)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"objpos": [1.0]}, "objpos is missing or of another form"),
        ({"joint_self": [[0.0, 0.0]] * 16}, "joint_self is missing or of another form"),
        ({"scale_provided": "tall"}, "scale_provided is missing or of another form"),
        ({"scale_provided": 0.0}, "scale_provided of person 3 is not > 0"),
        ({"img_paths": "../secret.jpg"}, "img_paths of person 3 is ../secret.jpg"),
        ({"objpos": [1.0, float("nan")]}, r"objpos of person 3 is \[ 1. nan\]"),
    ],
)
def test_a_person_in_another_form_is_told(folder: Path, change: dict[str, Any], told: str) -> None:
    people = [entry(number) for number in (1, 2, 3, 4)]
    people[2] |= change
    with pytest.raises(InputError, match=f"mpii_annotations.json.gz: {told}"):
        mpii.read(write(folder, people), {"val": (1, 1)})


def test_a_missing_key_is_named(folder: Path) -> None:
    people = [entry(number) for number in (1, 2, 3, 4)]
    del people[0]["objpos"]
    with pytest.raises(InputError, match="objpos is missing"):
        mpii.read(write(folder, people), {"val": (1, 1)})


@pytest.mark.parametrize(
    "content", [b"", b"not gzip", gzip.compress(b"[1,"), gzip.compress(b"[]"), gzip.compress(b"3")]
)
def test_a_damaged_file_is_told_in_one_line(folder: Path, content: bytes) -> None:
    (folder / mpii.LABELS).write_bytes(content)
    with pytest.raises(InputError, match=r"mpii_annotations.json.gz: [^\n]*(get the file again|right file\?)$"):
        mpii.read(folder, {"val": (1, 1)})


def test_a_file_that_unpacks_to_too_much_is_not_parsed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpii, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="of less than 1,000 bytes"):
        mpii.read(folder, {"val": (1, 1)})


# The real files


@needs_mirror
def test_train_and_val_are_the_25204_people_that_others_count() -> None:
    people = mpii.read(MIRROR / "mpii", {"train": (1, 22246), "val": (1, 2958)})
    assert len(set(people.names)) == 25204
    # MPII's Total weighs joints by how often they are labelled in val (the weights reproduce all published totals).
    visible = people.labels["pc"].visible[22246:] > 0
    counts = np.array([visible[:, [SKELETON.index(j) for j in group]].sum() for group in SKELETON.groups.values()])
    known = (0.1526, 0.1532, 0.1527, 0.1519, 0.1503, 0.1291, 0.1102)
    np.testing.assert_allclose(counts / counts.sum(), known, atol=5e-5)


@needs_mirror
def test_val_has_the_boxes_that_the_stacked_hourglass_publishes() -> None:
    people = mpii.read(MIRROR / "mpii", {"val": (1, 2958)})
    assert people.center is not None and people.side is not None
    with h5py.File(MIRROR / "mpii/valid.h5") as file:
        np.testing.assert_allclose(people.side, 200 * file["scale"][()], atol=0.2)
        np.testing.assert_allclose(people.center, file["center"][()] - 1, atol=0.01)


@needs_mirror
def test_the_head_that_the_scale_tells_is_the_published_one() -> None:
    people = mpii.read(MIRROR / "mpii", {"val": (1, 2958)})
    assert people.side is not None
    np.testing.assert_allclose(people.measures["head"], mpii.HEAD * people.side / 250, atol=0.02)


@needs_mirror
def test_published_scales_are_told_apart_raw_in_json_and_adjusted_in_hdf5() -> None:
    people = mpii.read(MIRROR / "mpii", {"val": (1, 2958)})
    labels = people.labels["pc"]
    with h5py.File(MIRROR / "mpii/valid.h5") as file, pytest.raises(InputError, match="it is 0.133 of the height"):
        mpii.check_raw(MIRROR / "mpii/valid.h5", file["part"][()], labels.visible, file["scale"][()])


# The official file


def records(rows: list[dict[str, Any]]) -> np.ndarray:
    """A struct array as MATLAB has it, 1 x n."""
    array = np.empty((1, len(rows)), [(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        array[0, i] = tuple(row.values())
    return array


NOTHING = np.zeros((0, 0))
PLACE = {"scale": 2.0, "objpos": records([{"x": 310.0, "y": 410.0}])}


def annotated(number: int) -> dict[str, Any]:
    """The person of `entry` as a rectangle with joints."""
    person, neck_and_top = entry(number), (8, 9)
    points = [
        {"x": x, "y": y, "id": np.uint8(j), "is_visible": NOTHING if j in neck_and_top else ("0", np.uint8(1))[int(v)]}
        for j, (x, y, v) in enumerate(person["joint_self"])
        if (x, y) != (0, 0)
    ]
    return {
        "x1": 100.0,
        "y1": 100.0,
        "x2": 130.0,
        "y2": 140.0,
        "scale": person["scale_provided"],
        "objpos": records([{"x": person["objpos"][0], "y": person["objpos"][1]}]),
        "annopoints": records([{"point": records(points)}]),
    }


def release(tmp_path: Path, images: list[tuple[str, Any, bool, list[int]]]) -> Path:
    """images: name, `annorect`, whether it is of the training set, numbers of people who stand apart."""
    apart = np.empty((len(images), 1), object)
    for i, (*_, numbers) in enumerate(images):
        apart[i, 0] = np.array(numbers, np.uint8).reshape(-1, 1)
    annolist = [{"image": records([{"name": name}]), "annorect": rectangles} for name, rectangles, *_ in images]
    content = {
        "annolist": records(annolist),
        "img_train": np.array([[train for _, _, train, _ in images]], np.uint8),
        "single_person": apart,
    }
    savemat(tmp_path / mpii_mat.LABELS, {"RELEASE": records([content])})
    return tmp_path


@pytest.fixture
def official(tmp_path: Path) -> Path:
    bare = annotated(1) | {"annopoints": NOTHING}
    return release(
        tmp_path,
        [
            ("000000001.jpg", records([bare, annotated(2)]), True, [2]),
            ("000000002.jpg", NOTHING, True, []),
            ("000000003.jpg", records([PLACE, PLACE, {"scale": NOTHING, "objpos": NOTHING}]), False, [2, 3]),
            ("000000004.jpg", records([PLACE]), False, [1]),
            ("000000005.jpg", records([{"x1": 1.0, "y1": 1.0, "x2": 2.0, "y2": 2.0}]), False, [1]),
        ],
    )


def test_the_official_file_gives_the_people_of_the_common_form(official: Path, tmp_path: Path) -> None:
    found = mpii_mat.read(official, {"train": (1, 1)})
    common = mpii.read(write(tmp_path, [entry(1), entry(2)]), {"val": (1, 1)})
    known = common.labels["pc"].visible > 0
    np.testing.assert_array_equal(found.labels["pc"].visible, common.labels["pc"].visible)
    np.testing.assert_allclose(found.labels["pc"].joints[known] + 0.3, common.labels["pc"].joints[known])
    np.testing.assert_array_equal(found.center, common.center)
    np.testing.assert_array_equal(found.side, common.side)
    assert found.names == ["000000001-2"]
    assert found.measures["head"].tolist() == [0.6 * 50]


def test_people_of_the_test_who_stand_apart_have_boxes_and_no_labels(official: Path) -> None:
    people = mpii_mat.read(official, {"test": (1, 2)})
    assert people.names == ["000000003-2", "000000004-1"]
    assert people.images == ["images/000000003.jpg", "images/000000004.jpg"]
    assert people.center is not None and people.center.tolist() == [[309, 439]] * 2
    assert people.labels == {}
    assert not mpii_mat.read(official, {"train": (1, 1), "test": (1, 2)}).labels["pc"].visible[1:].any()
    assert np.isnan(people.measures["head"]).all()


def test_who_has_no_scale_does_not_count(official: Path) -> None:
    with pytest.raises(InputError, match="2 people of test, but splits ask for 3"):
        mpii_mat.read(official, {"test": (1, 3)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": np.uint8(16)}, "a joint without a number from 0 to 15"),
        ({"x": NOTHING}, "a joint without a number from 0 to 15 or a place"),
        ({"y": "low"}, r"point\(1\).y is no single number"),
    ],
)
def test_a_joint_of_another_form_is_told_with_its_place(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    person = annotated(2)
    person["annopoints"][0, 0]["point"][0, 0] = tuple(
        ({"x": 1.0, "y": 1.0, "id": np.uint8(0), "is_visible": np.uint8(1)} | change).values()
    )
    folder = release(tmp_path, [("1.jpg", records([person]), True, []), ("2.jpg", records([PLACE]), False, [1])])
    with pytest.raises(InputError, match=rf"u12_1.mat: RELEASE.annolist\(1\).annorect.annopoints.*{told}"):
        mpii_mat.read(folder, {"train": (1, 1)})


def test_adjusted_scales_of_an_official_file_are_refused(tmp_path: Path) -> None:
    folder = release(tmp_path, [("1.jpg", records([annotated(2) | {"scale": 2.5}]), True, [])] * 2)
    with pytest.raises(InputError, match="it is 0.133 of the height"):
        mpii_mat.read(folder, {"train": (1, 1)})


@needs_mirror
def test_real_people_come_out_of_the_layout_of_the_official_file_as_out_of_the_common_form(tmp_path: Path) -> None:
    with gzip.open(MIRROR / "mpii" / mpii.LABELS) as file:
        people = [person for person in json.load(file) if not person["isValidation"]][:50]
    images = []
    for person in people:
        points = [
            {"x": x, "y": y, "id": j, "is_visible": v}
            for j, (x, y, v) in enumerate(person["joint_self"])
            if (x, y) != (0, 0)
        ]
        rectangle = {
            "scale": person["scale_provided"],
            "objpos": records([dict(zip("xy", person["objpos"], strict=True))]),
            "annopoints": records([{"point": records(points)}]),
        }
        images.append((person["img_paths"], records([rectangle]), True, []))
    found = mpii_mat.read(release(tmp_path, images), {"train": (1, 50)})
    common = mpii.read(MIRROR / "mpii", {"train": (1, 50)})
    assert found.images == common.images
    np.testing.assert_array_equal(found.labels["pc"].joints, common.labels["pc"].joints)
    np.testing.assert_array_equal(found.labels["pc"].visible, common.labels["pc"].visible)
    np.testing.assert_array_equal(found.center, common.center)
