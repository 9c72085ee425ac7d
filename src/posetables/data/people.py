"""People of a data set as arrays: what its reader returns, and what its tables and its store of crops give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from posetables.data.boxes import framed, stretched


@dataclass(frozen=True)
class Labels:
    """One set of labels of N people."""

    joints: np.ndarray
    """(N, J, 2) x, y in pixels of the image; the centre of the first pixel is 0, 0."""
    visible: np.ndarray
    """(N, J) 0 unlabelled, 1 labelled but occluded, 2 visible."""


@dataclass(frozen=True)
class People:
    """What a reader of a native format returns. It reads label files only, never an image."""

    names: Sequence[str]
    """Unique among the people of the data set."""
    images: Sequence[str]
    """Image of each person, relative to the data set's folder."""
    split: Sequence[str]
    labels: Mapping[str, Labels]
    """Name of a label set (pc, oc) -> labels in the joints of the data set's skeleton."""
    center: np.ndarray | None = None
    """(N, 2) centre of the person's square box in pixels; None: the box is the whole image."""
    side: np.ndarray | None = None
    """(N,) side of the box in pixels."""
    measures: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Name -> (N,) or (N, K): what metrics need besides joints, such as the size of a head."""
    frames: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Split -> its images, those with nobody in them included; empty: the images of the people."""


@dataclass(frozen=True)
class Crops:
    """People of one split, ready to be sampled.

    The box of a person is [-.5, .5] x [-.5, .5] in box coordinates: independent of image, store and input size. That of
    a network whose input is w wide and h high is [-w/2h, w/2h] x [-.5, .5].
    """

    store: np.ndarray
    """(M, 3, S, S) uint8, RGB, memory-mapped; the crops of the whole data set."""
    row: np.ndarray
    """(N,) row of each person in the store."""
    density: np.ndarray
    """(N,) pixels of the store along one side of the person's box."""
    joints: np.ndarray
    """(N, J, 2) float32, box coordinates."""
    labelled: np.ndarray
    """(N, J) bool."""
    visible: np.ndarray
    """(N, J) bool: labelled and not occluded."""
    person: Sequence[str]
    center: np.ndarray
    """(N, 2) centre of the box in pixels of the image."""
    side: np.ndarray
    """(N,) side of the box in pixels of the image: its height, where it is not square."""

    def __len__(self) -> int:
        return len(self.row)


def read_crops(
    folder: Path, split: str, labels: str | None, joints: Sequence[int | None], *, aspect: float = 1.0
) -> Crops:
    """People of `split` in a folder of crops.

    labels: the set whose joints are wanted; None: nobody has any, and all are given as unlabelled.
    joints: `joints[j]` is the data set's number of joint j, None if it has none.
    aspect: of the network's input. Squares around people become boxes of this shape that hold what a detector or an
    annotator framed, as in Simple Baselines; where people have no such frames, they keep their height.
    """
    described = ("person", "row", "density", "center_x", "center_y", "side")
    labelled = () if labels is None else (f"joints_{labels}", f"visible_{labels}")
    table = read_people(folder / "crops.parquet", split, *described, *labelled)
    center = np.stack([table["center_x"], table["center_y"]], 1)
    stretch = _stretch(folder / "crops.parquet", split, center, aspect)
    side = table["side"] * stretch
    xy, flags = np.zeros((len(center), len(joints), 2)), np.zeros((len(center), len(joints)), np.int8)
    if labels is not None:
        taken = [0 if joint is None else joint for joint in joints]
        known = np.array([joint is not None for joint in joints])
        positions = table[f"joints_{labels}"].reshape(len(center), -1, 2)[:, taken]
        xy = (positions - center[:, None]) / side[:, None, None]
        flags = table[f"visible_{labels}"][:, taken] * known
    return Crops(
        store=np.load(folder / "crops.npy", mmap_mode="r"),
        row=table["row"],
        density=(table["density"] * stretch).astype(np.float32),
        joints=xy.astype(np.float32),
        labelled=flags > 0,
        visible=flags > 1,
        person=table["person"].tolist(),
        center=center,
        side=side,
    )


def _stretch(path: Path, split: str, center: np.ndarray, aspect: float) -> np.ndarray | float:
    """By how much a box of that shape is higher than the square around each person (N,)."""
    if aspect == 1 or "box" not in parquet.read_schema(path).names:
        return 1.0
    return stretched(framed(read_people(path, split, "box")["box"], center), aspect)


def read_people(path: Path, split: str, *names: str) -> dict[str, np.ndarray]:
    """Columns of a table of people, for those of one split."""
    table = read_columns(path, "split", *names)
    mine = table["split"] == split
    return {name: table[name][mine] for name in names}


def read_columns(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Columns of a Parquet file as arrays of N; a column of lists of equal length becomes (N, length).

    Read by Arrow itself: importing pandas takes longer than most stages that come after training.
    """
    table = parquet.read_table(path, columns=list(names))
    return {name: _array(table[name].combine_chunks()) for name in names}


def _array(column: pyarrow.Array) -> np.ndarray:
    if pyarrow.types.is_list(column.type):
        return np.asarray(column.flatten()).reshape(len(column), -1)
    return np.asarray(column)
