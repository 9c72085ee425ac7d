"""LSP and LSPET: what their third numbers mean, where counting starts, whose left is left."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from posetables.data.readers import lsp as lsp_reader
from posetables.data.readers import lspet as lspet_reader
from posetables.data.readers.lsp import observer_centric
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.errors import InputError

MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
needs_mirror = pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "lsp").is_dir(),
    reason="needs LSP's label files: set POSETABLES_MIRROR to a folder that holds lsp/ and lspet/",
)
SPLITS = {"train": (1, 3), "test": (4, 5)}


def numbers(flags: np.ndarray) -> np.ndarray:
    """(5, 14, 3): joint j of person i at 10 i + j + 1, 20 i + j + 1, 1-based, with `flags` (5, 14)."""
    i, j = np.mgrid[:5, :14]
    return np.stack([10 * i + j + 1, 20 * i + j + 1, flags], 2).astype(float)


@pytest.fixture
def lsp(tmp_path: Path) -> Path:
    flags = np.zeros((5, 14))
    flags[1, 3] = 1
    for name in ("PC", "OC"):
        savemat(tmp_path / f"joints_{name}.mat", {"joints": numbers(flags).transpose(2, 1, 0)})
    return tmp_path


@pytest.fixture
def lspet(tmp_path: Path) -> Path:
    flags = np.ones((5, 14))
    flags[1, 3] = 0
    native = numbers(flags)
    native[1, 3, :2] = (-77, 0)
    savemat(tmp_path / "joints.mat", {"joints": native.transpose(1, 2, 0)})
    return tmp_path


def test_the_third_row_of_lsp_marks_occluded_joints_which_are_labelled(lsp: Path) -> None:
    visible = lsp_reader.read(lsp, SPLITS).labels["pc"].visible
    assert visible[1, 3] == 1
    assert (np.delete(visible.ravel(), 1 * 14 + 3) == 2).all()


def test_the_third_column_of_lspet_marks_visible_joints_and_the_others_are_unlabelled(lspet: Path) -> None:
    visible = lspet_reader.read(lspet, SPLITS).labels["pc"].visible
    assert visible[1, 3] == 0
    assert (np.delete(visible.ravel(), 1 * 14 + 3) == 2).all()


def test_pixels_are_counted_from_0(lsp: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    i, j = np.mgrid[:5, :14]
    np.testing.assert_array_equal(
        lsp_reader.read(lsp, SPLITS).labels["pc"].joints, np.stack([10 * i + j, 20 * i + j], 2)
    )


def test_pixels_of_lspet_are_counted_from_0(lspet: Path) -> None:
    joints = lspet_reader.read(lspet, SPLITS).labels["pc"].joints
    np.testing.assert_array_equal(joints[2, 5], (25, 45))


def test_the_junk_of_an_unlabelled_joint_goes_nowhere(lspet: Path) -> None:
    people = lspet_reader.read(lspet, SPLITS)
    assert people.labels["pc"].joints[1, 3].tolist() == [0, 0]
    assert people.center is not None
    np.testing.assert_array_equal(people.center[1], ((10 + 23) / 2, (20 + 33) / 2))


def test_the_box_of_lspet_is_around_the_middle_of_the_labelled_joints_with_one_side_for_all(lspet: Path) -> None:
    people = lspet_reader.read(lspet, SPLITS)
    assert people.center is not None and people.side is not None
    np.testing.assert_array_equal(people.center[0], (6.5, 6.5))
    assert set(people.side) == {lspet_reader.SIDE}


def test_the_box_of_lsp_does_not_look_at_the_labels(lsp: Path) -> None:
    people = lsp_reader.read(lsp, SPLITS)
    assert people.center is None and people.side is None


def test_each_split_has_its_own_images_and_labels(lsp: Path) -> None:
    people = lsp_reader.read(lsp, {"test": (4, 5), "train": (1, 1)})
    assert list(people.images) == ["images/im0004.jpg", "images/im0005.jpg", "images/im0001.jpg"]
    assert list(people.split) == ["test", "test", "train"]
    np.testing.assert_array_equal(people.labels["oc"].joints[:, 0], [(30, 60), (40, 80), (0, 0)])


def test_fewer_labels_than_images_are_refused(lsp: Path) -> None:
    with pytest.raises(InputError, match=r"joints_PC.mat: joints.* 5 images, but splits ask for 6"):
        lsp_reader.read(lsp, {"train": (1, 6)})


def test_an_lspet_person_without_any_label_is_refused(lspet: Path) -> None:
    savemat(lspet / "joints.mat", {"joints": np.zeros((14, 3, 5))})
    with pytest.raises(InputError, match=r"joints.mat: .*im00002.jpg"):
        lspet_reader.read(lspet, {"train": (2, 3)})


def test_people_are_called_as_their_images(lsp: Path, lspet: Path) -> None:
    assert lsp_reader.read(lsp, {"train": (2, 3)}).names == ["im0002", "im0003"]
    assert lspet_reader.read(lspet, {"train": (2, 3)}).names == ["im00002", "im00003"]


def test_images_of_lspet_have_five_digits(lspet: Path) -> None:
    assert lspet_reader.read(lspet, {"train": (2, 2)}).images == ["images/im00002.jpg"]


# Whose left is left

LEGS, ARMS = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")


def person(right_hip: float, left_hip: float, right_shoulder: float, left_shoulder: float) -> np.ndarray:
    """(1, 14, 2) joints told apart by y, with hips and shoulders at the given x."""
    joints = np.stack([np.full(14, 50.0), np.arange(14.0)], 1)[None]
    for name, x in (
        ("right hip", right_hip), ("left hip", left_hip),
        ("right shoulder", right_shoulder), ("left shoulder", left_shoulder),
    ):  # fmt: skip
        joints[0, LSP.index(name), 0] = x
    return joints


def swapped(joints: np.ndarray, visible: np.ndarray | None = None) -> set[str]:
    """The joints that observer-centric labels put on the other side."""
    visible = np.full((1, 14), 2) if visible is None else visible
    found = observer_centric(joints, visible).joints[0, :, 1]
    moved = {name for i, name in enumerate(LSP.joints) if found[i] != i}
    assert all(found[i] == LSP.flip[i] for i, name in enumerate(LSP.joints) if name in moved)
    return {name.partition(" ")[2] for name in moved}


@pytest.mark.parametrize(
    ("xs", "expected"),
    [((40, 60, 40, 60), set()), ((60, 40, 40, 60), set(LEGS)), ((40, 60, 60, 40), set(ARMS)),
     ((60, 40, 60, 40), {*LEGS, *ARMS}), ((50, 50, 50, 50), set())],
    ids=["from the front", "legs crossed", "arms crossed", "from behind", "from the side"],
)  # fmt: skip
def test_limbs_change_sides_where_the_right_one_lies_on_the_right(xs: tuple[float, ...], expected: set[str]) -> None:
    assert swapped(person(*xs)) == expected


def test_limbs_stay_where_one_of_the_two_joints_is_unlabelled() -> None:
    visible = np.full((1, 14), 2)
    visible[0, LSP.index("left hip")] = 0
    assert swapped(person(60, 40, 60, 40), visible) == set(ARMS)


def test_visibility_goes_with_its_joint() -> None:
    visible = np.full((1, 14), 2)
    visible[0, LSP.index("left wrist")] = 0
    found = observer_centric(person(60, 40, 60, 40), visible).visible[0]
    assert (found[LSP.index("right wrist")], found[LSP.index("left wrist")]) == (0, 2)


def test_the_labels_given_are_not_changed() -> None:
    joints = person(60, 40, 60, 40)
    before = joints.copy()
    observer_centric(joints, np.full((1, 14), 2))
    np.testing.assert_array_equal(joints, before)


@needs_mirror
def test_the_rule_agrees_with_the_published_labels_of_92_in_100_arms_and_legs() -> None:
    people = lsp_reader.read(MIRROR / "lsp", {"all": (1, 2000)})
    derived = observer_centric(people.labels["pc"].joints, people.labels["pc"].visible).joints
    agrees = (np.abs(derived - people.labels["oc"].joints) < 1).all(2)
    for limbs in (LEGS, ARMS):
        joints = [LSP.index(f"{side} {joint}") for side in ("right", "left") for joint in limbs]
        assert agrees[:, joints].all(1).mean() >= 0.92


@needs_mirror
def test_most_joints_of_lsp_and_lspet_are_visible_and_none_of_lsp_is_unlabelled() -> None:
    lsp = lsp_reader.read(MIRROR / "lsp", {"all": (1, 2000)}).labels["pc"].visible
    lspet = lspet_reader.read(MIRROR / "lspet", {"all": (1, 10000)}).labels["pc"].visible
    occluded = int(loadmat(MIRROR / "lsp/joints_PC.mat")["joints"][2].sum())
    assert (lsp > 0).all() and (lsp == 1).sum() == occluded
    # A flag read the wrong way round would leave the lesser part of the joints.
    assert 0.5 < (lsp == 2).mean() < 1 and 0.5 < (lspet == 2).mean() < 1
