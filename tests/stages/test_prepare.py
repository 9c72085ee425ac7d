"""Preparation: every joint keeps its place from image to crop store, and what does not fit together is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from posetables.data.people import Crops, read_crops
from posetables.errors import InputError
from posetables.recipe import Preparation
from posetables.stages import prepare as stage

MARKED = (5, 9)
"""Joints with a blob painted around them."""


def preparation(reader: str = "lsp", people: int = 4, resolution: int = 64) -> Preparation:
    return Preparation(
        dataset=reader, skeleton="lsp", reader=reader, labels=("pc", "oc"), splits={"train": (1, people)},
        resolution=resolution, margin=2.03,
    )  # fmt: skip


def joints_of(people: int) -> np.ndarray:
    """(N, 14, 2) pixels from 0, well inside images of 90 x 150."""
    return np.random.default_rng(0).uniform((20, 30), (70, 120), (people, 14, 2))


def paint(joints: np.ndarray, joint: int) -> np.ndarray:
    """Image (150, 90, 3) of a white blob, four pixels wide, on grey."""
    y, x = np.mgrid[:150, :90]
    square = (x - joints[joint, 0]) ** 2 + (y - joints[joint, 1]) ** 2
    return np.repeat((128 + 127 * np.exp(-square / (2 * 4**2)))[..., None], 3, 2).round().astype(np.uint8)


def write_lsp(folder: Path, joints: np.ndarray, marked: int) -> Path:
    (folder / "images").mkdir(parents=True)
    for i, each in enumerate(joints, start=1):
        cv2.imwrite(str(folder / f"images/im{i:04d}.jpg"), paint(each, marked), [cv2.IMWRITE_JPEG_QUALITY, 100])
    native = np.concatenate([joints + 1, np.zeros((*joints.shape[:2], 1))], 2).transpose(2, 1, 0)
    for labels in ("PC", "OC"):
        savemat(folder / f"joints_{labels}.mat", {"joints": native})
    return folder


def write_lspet(folder: Path, joints: np.ndarray, marked: int) -> Path:
    (folder / "images").mkdir(parents=True)
    for i, each in enumerate(joints, start=1):
        cv2.imwrite(str(folder / f"images/im{i:05d}.jpg"), paint(each, marked), [cv2.IMWRITE_JPEG_QUALITY, 100])
    native = np.concatenate([joints + 1, np.ones((*joints.shape[:2], 1))], 2).transpose(1, 2, 0)
    savemat(folder / "joints.mat", {"joints": native})
    return folder


def prepare(folder: Path, recipe: Preparation) -> dict[str, Any]:
    place = folder.with_name("prepared")
    place.mkdir()
    return stage.prepare(recipe, folder, {"annotations": place / "annotations.parquet", "crops": place / "crops.npy"})


def crops(folder: Path, split: str = "train") -> Crops:
    return read_crops(folder.with_name("prepared"), split, "pc", range(14))


@pytest.mark.parametrize("marked", MARKED)
@pytest.mark.parametrize("resolution", [48, 64, 300], ids=["shrunk", "shrunk less", "not enlarged"])
@pytest.mark.parametrize(("reader", "write"), [("lsp", write_lsp), ("lspet", write_lspet)])
def test_what_is_at_a_joint_in_the_image_is_at_the_joint_in_the_store(
    tmp_path: Path, reader: str, write: Any, resolution: int, marked: int
) -> None:
    folder = write(tmp_path / "raw", joints_of(4), marked)
    prepare(folder, preparation(reader, resolution=resolution))
    people = crops(folder)
    for store, density, joints in zip(people.store[people.row], people.density, people.joints, strict=True):
        expected = joints[marked] * density + (store.shape[-1] - 1) / 2
        light = np.clip(store[0].astype(float) - 140, 0, None)
        y, x = np.mgrid[: store.shape[1], : store.shape[2]]
        found = (light * x).sum() / light.sum(), (light * y).sum() / light.sum()
        np.testing.assert_allclose(found, expected, atol=0.3)


def test_the_store_holds_what_the_strongest_augmentation_can_ask_for(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path / "raw", joints_of(1), marked=0)
    prepare(folder, preparation(people=1, resolution=64))
    people = crops(folder)
    reach = people.store.shape[-1] / people.density
    angle = np.deg2rad(40)
    assert reach >= (np.cos(angle) + np.sin(angle)) / 0.7


def test_the_box_of_a_test_person_is_the_whole_image(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path / "raw", joints_of(2), marked=0)
    prepare(folder, preparation(people=2))
    people = crops(folder)
    np.testing.assert_array_equal(people.center, [[44.5, 74.5]] * 2)  # middles of pixels 0 to 89 and 0 to 149
    np.testing.assert_array_equal(people.side, [150] * 2)


def test_only_the_people_of_a_split_are_read_from_their_own_rows(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path / "raw", joints_of(4), marked=0)
    prepare(folder, preparation().model_copy(update={"splits": {"train": (1, 1), "test": (3, 4)}}))
    people = crops(folder, "test")
    assert people.person == ["lsp/im0003", "lsp/im0004"]
    expected = (joints_of(4)[2:] - people.center[:, None]) / people.side[:, None, None]
    np.testing.assert_allclose(people.joints, expected, atol=1e-6)


def test_a_joint_that_the_data_set_does_not_have_is_unlabelled(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path / "raw", joints_of(2), marked=0)
    prepare(folder, preparation(people=2))
    people = read_crops(folder.with_name("prepared"), "train", "pc", [3, None, 0])
    assert people.labelled.tolist() == [[True, False, True]] * 2
    np.testing.assert_array_equal(people.joints[:, [0, 2]], crops(folder).joints[:, [3, 0]])


# What does not fit together


def test_a_few_joints_outside_of_their_image_become_unlabelled_and_are_counted(tmp_path: Path) -> None:
    joints = joints_of(10)
    joints[3, 7] = (500, 60)
    folder = write_lsp(tmp_path / "raw", joints, marked=0)
    facts = prepare(folder, preparation(people=10))
    assert np.argwhere(~crops(folder).labelled).tolist() == [[3, 7]]
    assert facts["joints outside of their image"] == 2  # in both sets of labels


@pytest.mark.parametrize("corner", [(0, 0), (89, 149)])
def test_a_joint_on_the_edge_of_its_image_is_inside(tmp_path: Path, corner: tuple[int, int]) -> None:
    joints = joints_of(1)
    joints[0, 7] = corner
    folder = write_lsp(tmp_path / "raw", joints, marked=0)
    prepare(folder, preparation(people=1))
    assert crops(folder).labelled.all()


def test_labels_of_other_images_are_refused_with_the_first_of_them(tmp_path: Path) -> None:
    joints = joints_of(4)
    joints[1:] += 100
    folder = write_lsp(tmp_path / "raw", joints, marked=0)
    with pytest.raises(InputError, match=r"raw: joints \(pc\): .* outside .* first in images/im0002.jpg"):
        prepare(folder, preparation())


def test_fewer_labels_than_images_are_refused(tmp_path: Path) -> None:
    folder = write_lsp(tmp_path / "raw", joints_of(2), marked=0)
    with pytest.raises(InputError, match=r"raw/joints_PC.mat: joints.* 2 "):
        prepare(folder, preparation(people=3))


def test_an_lspet_person_without_any_label_is_refused(tmp_path: Path) -> None:
    folder = write_lspet(tmp_path / "raw", joints_of(2), marked=0)
    savemat(folder / "joints.mat", {"joints": np.zeros((14, 3, 2))})
    with pytest.raises(InputError, match=r"joints.mat: .*im00001.jpg"):
        prepare(folder, preparation("lspet", people=2))


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
