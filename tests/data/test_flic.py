"""FLIC: which of 29 columns is which joint, who is seen from behind, what the box is."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from posetables.data.readers.flic import LABELS, observer_centric, read
from posetables.data.skeletons.flic import SKELETON
from posetables.errors import InputError
from posetables.metrics import pck

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "flic").is_dir(),
    reason="needs FLIC's label files: set POSETABLES_MIRROR to a folder that holds flic/",
)
ALL = {"train": (1, 3987), "test": (1, 1016)}
COLUMNS = {"lsho": 0, "lelb": 1, "lwri": 2, "rsho": 3, "relb": 4, "rwri": 5, "lhip": 6, "rhip": 9, "nose": 16}
FIELDS = ("coords", "filepath", "torsobox", "istrain", "istest")
TRAIN = (True, False, True, True, False)


def coords(person: int) -> np.ndarray:
    """(2, 29) as in the file: joint of column c at 100 person + c + 1, c + 1, with the left side on the right."""
    found = np.full((2, 29), np.nan)
    for name, column in COLUMNS.items():
        found[:, column] = (100 * person + column + 1 + 50 * name.startswith("l"), column + 1)
    return found


@pytest.fixture
def flic(tmp_path: Path) -> Path:
    """Five people, the fourth and the fifth in one frame."""
    examples = np.empty((1, 5), [(name, object) for name in FIELDS])
    for i, train in enumerate(TRAIN):
        frame = f"film-{min(i, 3):08d}.jpg"
        examples[0, i] = (coords(i), frame, np.float32([[11, 21, 71, 111]]), np.uint8(train), np.uint8(not train))
    savemat(tmp_path / LABELS, {"examples": examples})
    return tmp_path


def test_a_split_is_the_people_whose_flag_it_is_in_the_order_of_the_file(flic: Path) -> None:
    people = read(flic, {"train": (2, 3), "test": (1, 1)})
    assert people.split == ["train", "train", "test"]
    assert people.images == [f"images/film-{i:08d}.jpg" for i in (2, 3, 1)]


def test_people_of_one_frame_have_names_of_their_own(flic: Path) -> None:
    people = read(flic, {"train": (3, 3), "test": (2, 2)})
    assert people.images[0] == people.images[1]
    assert people.names == ["film-00000003-4", "film-00000003-5"]


@pytest.mark.parametrize(
    ("joint", "at"),
    [("nose", (116, 16)), ("left shoulder", (150, 0)), ("right wrist", (105, 5)), ("left hip", (156, 6)),
     ("right hip", (109, 9)), ("neck", ((150 + 103) / 2, 1.5))],
)  # fmt: skip
def test_joints_are_taken_from_their_columns_in_pixels_from_0(flic: Path, joint: str, at: tuple[float, float]) -> None:
    labels = read(flic, {"test": (1, 1)}).labels["pc"]
    assert labels.joints[0, SKELETON.index(joint)].tolist() == list(at)
    assert (labels.visible == 2).all()


def test_the_box_is_three_times_the_longer_side_of_the_torso_box_around_its_centre(flic: Path) -> None:
    people = read(flic, {"test": (1, 1)})
    assert people.center is not None and people.side is not None
    assert people.center.tolist() == [[40, 65]]
    assert people.side.tolist() == [3 * 90]


@pytest.mark.parametrize(
    ("splits", "told"),
    [({"test": (1, 3)}, "2 people of test, but splits ask for 3"), ({"val": (1, 1)}, "train, test, but .* val")],
)
def test_splits_that_the_file_has_not_are_refused(flic: Path, splits: dict[str, tuple[int, int]], told: str) -> None:
    with pytest.raises(InputError, match=f"examples_original.mat: .*{told}; correct splits"):
        read(flic, splits)


def test_an_unlabelled_joint_is_refused(flic: Path) -> None:
    examples = loadmat(flic / LABELS)["examples"]
    examples[0, 4]["coords"][:, COLUMNS["relb"]] = np.nan
    savemat(flic / LABELS, {"examples": examples})
    with pytest.raises(InputError, match="right elbow of person 5 is unlabelled"):
        read(flic, {"test": (1, 2)})


# Whose left is left


def person(left_shoulder: float, right_shoulder: float, left_hip: float, right_hip: float) -> np.ndarray:
    """(1, 10, 2) joints told apart by y, with shoulders and hips at the given x."""
    joints = np.stack([np.full(10, 50.0), np.arange(10.0)], 1)[None]
    for name, x in (
        ("left shoulder", left_shoulder), ("right shoulder", right_shoulder),
        ("left hip", left_hip), ("right hip", right_hip),
    ):  # fmt: skip
        joints[0, SKELETON.index(name), 0] = x
    return joints


def test_who_is_seen_from_behind_is_relabelled_whole() -> None:
    assert observer_centric(person(40, 60, 40, 60))[0, :, 1].tolist() == list(SKELETON.flip)


@pytest.mark.parametrize("xs", [(60, 40, 60, 40), (40, 60, 60, 40), (60, 40, 40, 60), (50, 50, 50, 50)])
def test_who_faces_the_camera_or_is_turned_halfway_is_not_relabelled(xs: tuple[float, ...]) -> None:
    assert observer_centric(person(*xs))[0, :, 1].tolist() == list(range(10))


@needs_mirror
def test_the_relabelling_gives_the_published_observer_centric_labels_of_all_people() -> None:
    people = read(MIRROR / "flic", ALL)
    published = loadmat(MIRROR / "flic/examples_observer_centric.mat")["flic_anno"][0]
    split = np.array([example["istrain"].item() for example in published]) == 0
    order = np.argsort(split, kind="stable")
    truth = np.stack([published[i]["coords"] for i in order]).transpose(0, 2, 1) - 1
    names = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "hip": "hip"}
    for name, column in COLUMNS.items():
        joint = name if name == "nose" else f"{'left' if name[0] == 'l' else 'right'} {names[name[1:]]}"
        np.testing.assert_array_equal(people.labels["oc"].joints[:, SKELETON.index(joint)], truth[:, column])


@needs_mirror
def test_48_people_of_the_test_are_seen_from_behind() -> None:
    labels = read(MIRROR / "flic", {"test": (1, 1016)}).labels
    assert (labels["oc"].joints != labels["pc"].joints).any((1, 2)).sum() == 48


@needs_mirror
def test_the_normaliser_of_the_test_is_that_of_the_stacked_hourglass() -> None:
    joints = read(MIRROR / "flic", {"test": (1, 1016)}).labels["pc"].joints
    torso = pck.torso_normaliser(joints, SKELETON.index("left shoulder"), SKELETON.index("right hip"))
    with h5py.File(MIRROR / "flic/hg_valid_personcentric.h5") as file:
        parts = file["part"][()]
    np.testing.assert_allclose(torso, np.linalg.norm(parts[:, 0] - parts[:, 7], axis=1))


@needs_mirror
def test_nobody_is_in_train_and_test_and_all_names_differ() -> None:
    people = read(MIRROR / "flic", ALL)
    assert (people.split.count("train"), people.split.count("test")) == (3987, 1016)
    assert len(set(people.names)) == 5003
