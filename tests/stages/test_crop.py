"""Cutting out: every joint keeps its place from image to crop store, and what does not fit together is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posetables.data.people import Crops, Labels, People, read_crops
from posetables.errors import InputError
from posetables.recipe import Cropping
from posetables.stages import crop as stage
from posetables.stages.annotate import tabled

MARKED = (5, 9)
"""Joints with a blob painted around them."""


def joints_of(people: int) -> np.ndarray:
    """(N, 14, 2) pixels from 0, well inside images of 90 x 150."""
    return np.random.default_rng(0).uniform((20, 30), (70, 120), (people, 14, 2))


def paint(joints: np.ndarray, joint: int) -> np.ndarray:
    """Image (150, 90, 3) of a white blob, four pixels wide, on grey."""
    y, x = np.mgrid[:150, :90]
    square = (x - joints[joint, 0]) ** 2 + (y - joints[joint, 1]) ** 2
    return np.repeat((128 + 127 * np.exp(-square / (2 * 4**2)))[..., None], 3, 2).round().astype(np.uint8)


def people_of(joints: np.ndarray, **changes: Any) -> People:
    """People for training, all joints labelled in both sets, each in an image and in a box as large as that."""
    count = len(joints)
    labels = Labels(joints, np.full(joints.shape[:2], 2))
    given: dict[str, Any] = {
        "names": [f"im{i}" for i in range(count)],
        "images": [f"images/im{i}.jpg" for i in range(count)],
        "split": ["train"] * count,
        "labels": {"pc": labels, "oc": labels},
    }
    return People(**given | changes)


def boxed(joints: np.ndarray) -> People:
    """The same with boxes of their own, around the middle of the joints."""
    return people_of(joints, center=(joints.min(1) + joints.max(1)) / 2, side=np.full(len(joints), 175.0))


Cut = Callable[..., dict[str, Any]]


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cut:
    """Crops of people in the current directory, a joint of each marked in the image; what the stage says of them."""
    monkeypatch.chdir(tmp_path)

    def run(people: People, resolution: int = 64, marked: int = 0) -> dict[str, Any]:
        Path("raw/images").mkdir(parents=True)
        joints = next((labels.joints for labels in people.labels.values()), joints_of(len(people.names)))
        for image, each in zip(people.images, joints, strict=True):
            cv2.imwrite(f"raw/{image}", paint(each, marked), [cv2.IMWRITE_JPEG_QUALITY, 100])
        tabled(people).to_parquet("people.parquet", index=False)
        recipe = Cropping(dataset="street", resolution=resolution, margin=2.03)
        outputs = {"crops": Path("crops.parquet"), "pixels": Path("crops.npy")}
        return stage.crop(recipe, Path("people.parquet"), Path("raw"), outputs)

    return run


def crops(split: str = "train", labels: str | None = "pc") -> Crops:
    return read_crops(Path(), split, labels, range(14))


@pytest.mark.parametrize("marked", MARKED)
@pytest.mark.parametrize("resolution", [48, 64, 300], ids=["shrunk", "shrunk less", "not enlarged"])
@pytest.mark.parametrize("people", [people_of, boxed], ids=["whole image", "own box"])
def test_what_is_at_a_joint_in_the_image_is_at_the_joint_in_the_store(
    cut: Cut, people: Callable[[np.ndarray], People], resolution: int, marked: int
) -> None:
    cut(people(joints_of(4)), resolution, marked)
    people_cut = crops()
    for store, density, joints in zip(
        people_cut.store[people_cut.row], people_cut.density, people_cut.joints, strict=True
    ):
        expected = joints[marked] * density + (store.shape[-1] - 1) / 2
        light = np.clip(store[0].astype(float) - 140, 0, None)
        y, x = np.mgrid[: store.shape[1], : store.shape[2]]
        found = (light * x).sum() / light.sum(), (light * y).sum() / light.sum()
        np.testing.assert_allclose(found, expected, atol=0.3)


def test_the_store_holds_what_the_strongest_augmentation_can_ask_for(cut: Cut) -> None:
    cut(people_of(joints_of(1)), resolution=64)
    people = crops()
    reach = people.store.shape[-1] / people.density
    angle = np.deg2rad(40)
    assert reach >= (np.cos(angle) + np.sin(angle)) / 0.7


def test_a_box_that_labels_leave_open_is_the_whole_image(cut: Cut) -> None:
    cut(people_of(joints_of(2)))
    people = crops()
    np.testing.assert_array_equal(people.center, [[44.5, 74.5]] * 2)  # middles of pixels 0 to 89 and 0 to 149
    np.testing.assert_array_equal(people.side, [150] * 2)


def test_only_the_people_of_a_split_are_read_from_their_own_rows(cut: Cut) -> None:
    cut(people_of(joints_of(4), split=["train", "train", "test", "test"]))
    people = crops("test")
    assert (people.person, people.row.tolist()) == (["im2", "im3"], [2, 3])
    expected = (joints_of(4)[2:] - people.center[:, None]) / people.side[:, None, None]
    np.testing.assert_allclose(people.joints, expected, atol=1e-6)


def test_a_joint_that_the_data_set_does_not_have_is_unlabelled(cut: Cut) -> None:
    cut(people_of(joints_of(2)))
    people = read_crops(Path(), "train", "pc", [3, None, 0])
    assert people.labelled.tolist() == [[True, False, True]] * 2
    np.testing.assert_array_equal(people.joints[:, [0, 2]], crops().joints[:, [3, 0]])


def test_two_people_of_one_image_are_each_cut_out_around_their_own_middle(cut: Cut) -> None:
    joints = np.stack([joints_of(1)[0], joints_of(1)[0] + (15, -15)])
    people = boxed(joints)
    cut(people_of(joints, images=["images/im0.jpg"] * 2, center=people.center, side=people.side), marked=5)
    for store, density, point in zip(crops().store, crops().density, (joints[1, 5] - people.center) / 175, strict=True):
        y, x = np.unravel_index(store[0].argmax(), store.shape[1:])  # the last image painted marks the second's joint
        np.testing.assert_allclose((x, y), point * density + (store.shape[-1] - 1) / 2, atol=1.5)


def test_who_is_labelled_without_a_joint_is_left_out_and_the_others_keep_their_labels(cut: Cut) -> None:
    visible = np.full((3, 14), 2)
    visible[1] = 0
    told = cut(people_of(joints_of(3), labels={"pc": Labels(joints_of(3), visible)}))
    people = crops()
    assert (told["people"], people.person, len(people.store)) == (2, ["im0", "im2"], 2)
    expected = (joints_of(3)[[0, 2]] - people.center[:, None]) / people.side[:, None, None]
    np.testing.assert_allclose(people.joints, expected, atol=1e-6)


def test_people_without_any_labels_are_all_cut_out_and_have_no_labelled_joint(cut: Cut) -> None:
    cut(people_of(joints_of(3), labels={}))
    people = crops(labels=None)
    assert people.person == ["im0", "im1", "im2"]
    assert not people.labelled.any()


# What does not fit together


def test_a_few_joints_outside_of_their_image_become_unlabelled_and_are_counted(cut: Cut) -> None:
    joints = joints_of(10)
    joints[3, 7] = (500, 60)
    facts = cut(people_of(joints))
    assert np.argwhere(~crops().labelled).tolist() == [[3, 7]]
    assert facts["joints outside of their image"] == 2  # in both sets of labels


@pytest.mark.parametrize("corner", [(0, 0), (89, 149)])
def test_a_joint_on_the_edge_of_its_image_is_inside(cut: Cut, corner: tuple[int, int]) -> None:
    joints = joints_of(1)
    joints[0, 7] = corner
    cut(people_of(joints))
    assert crops().labelled.all()


def test_labels_of_other_images_are_refused_with_the_first_of_them(cut: Cut) -> None:
    joints = joints_of(4)
    joints[1:] += 100
    with pytest.raises(InputError, match=r"raw: joints \(pc\): .* outside .* first in images/im1.jpg"):
        cut(people_of(joints))


def test_a_missing_image_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"im0001.jpg: No such file or directory; fetch the data set again"):
        stage.read_image(tmp_path / "im0001.jpg")


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, -2], ids=["empty", "one byte", "header", "half", "no end"])
def test_an_image_that_was_cut_short_is_told(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "im0001.jpg"
    cv2.imwrite(str(path), paint(joints_of(1)[0], 0))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(InputError, match=r"im0001.jpg: not an image or cut short"):
        stage.read_image(path)


def test_colours_are_read_in_the_order_red_green_blue(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert stage.read_image(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]
