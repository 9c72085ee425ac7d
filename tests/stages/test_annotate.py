"""Labels become tables: nothing that a reader tells of its people and images is lost, and no image is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from posetables.data.people import Labels, People, read_columns, read_people
from posetables.recipe import Annotation
from posetables.stages.annotate import annotate
from posetables.stages.fetch import images_of

NAMES = ("a-1", "a-2", "c-1")


def street(**changes: Any) -> People:
    """Two people of one image that is trained on, and one of another image that is tested on."""
    joints = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    visible = np.arange(3 * 4).reshape(3, 4) % 3
    found: dict[str, Any] = {
        "names": NAMES,
        "images": ("train/a.jpg", "train/a.jpg", "val/c.jpg"),
        "split": ("train", "train", "val"),
        "labels": {"pc": Labels(joints, visible)},
    }
    return People(**found | changes)


Annotate = Callable[[People], dict[str, Any]]


@pytest.fixture
def annotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Annotate:
    """Tables of the people of a reader, in the current directory; what the stage says of them."""
    monkeypatch.chdir(tmp_path)

    def run(people: People) -> dict[str, Any]:
        monkeypatch.setitem(sys.modules, "posetables.data.readers.street", SimpleNamespace(read=lambda *_: people))
        recipe = Annotation(dataset="street", reader="street", splits={"train": (1, 2), "val": (1, 1)})
        return annotate(recipe, Path("labels"), {"people": Path("people.parquet"), "frames": Path("frames.parquet")})

    return run


def test_joints_and_flags_come_back_as_the_reader_gave_them(annotated: Annotate) -> None:
    people = street()
    annotated(people)
    table = read_columns(Path("people.parquet"), "person", "joints_pc", "visible_pc")
    assert tuple(table["person"]) == NAMES
    np.testing.assert_array_equal(table["joints_pc"].reshape(3, 4, 2), people.labels["pc"].joints)
    np.testing.assert_array_equal(table["visible_pc"], people.labels["pc"].visible)


def test_a_split_holds_its_own_people_alone(annotated: Annotate) -> None:
    annotated(street())
    assert read_people(Path("people.parquet"), "val", "person")["person"].tolist() == ["c-1"]


def test_boxes_are_those_of_the_reader(annotated: Annotate) -> None:
    center, side = np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([10.0, 20, 30])
    annotated(street(center=center, side=side))
    table = pd.read_parquet("people.parquet")
    np.testing.assert_array_equal(table[["center_x", "center_y"]], center)
    np.testing.assert_array_equal(table["side"], side)


def test_a_box_that_is_the_whole_image_stays_open_as_labels_know_no_sizes(annotated: Annotate) -> None:
    annotated(street())
    assert pd.read_parquet("people.parquet")[["center_x", "center_y", "side"]].isna().all(axis=None)


def test_what_metrics_need_besides_joints_comes_along(annotated: Annotate) -> None:
    head, box = np.array([7.0, 8, 9]), np.arange(12.0).reshape(3, 4)
    annotated(street(measures={"head": head, "box": box}))
    table = read_columns(Path("people.parquet"), "head", "box")
    np.testing.assert_array_equal(table["head"], head)
    np.testing.assert_array_equal(table["box"], box)


def test_people_without_labels_are_people_all_the_same(annotated: Annotate) -> None:
    told = annotated(street(labels={}))
    assert (told["people"], len(pd.read_parquet("people.parquet"))) == ({"train": 2, "val": 1}, 3)


def test_the_images_of_the_people_are_wanted_each_once(annotated: Annotate) -> None:
    told = annotated(street())
    assert images_of(Path("frames.parquet")) == ("train/a.jpg", "val/c.jpg")
    assert told["images"] == {"train": 1, "val": 1}


def test_an_image_with_nobody_in_it_is_wanted_where_the_reader_names_it(annotated: Annotate) -> None:
    told = annotated(street(frames={"train": ("train/a.jpg",), "val": ("val/b.jpg", "val/c.jpg")}))
    assert images_of(Path("frames.parquet")) == ("train/a.jpg", "val/b.jpg", "val/c.jpg")
    assert told["images"] == {"train": 1, "val": 2}


def test_an_image_in_two_splits_is_fetched_once(annotated: Annotate) -> None:
    annotated(street(images=("a.jpg", "a.jpg", "a.jpg")))
    assert images_of(Path("frames.parquet")) == ("a.jpg",)
