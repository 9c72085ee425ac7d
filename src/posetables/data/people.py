"""People of a data set as arrays: what its reader returns, and what its annotation table and crop store give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet


@dataclass(frozen=True)
class Labels:
    """One set of labels of N people."""

    joints: np.ndarray
    """(N, J, 2) x, y in pixels of the image; the centre of the first pixel is 0, 0."""
    visible: np.ndarray
    """(N, J) 0 unlabelled, 1 labelled but occluded, 2 visible."""


@dataclass(frozen=True)
class People:
    """What a reader of a native format returns."""

    images: Sequence[str]
    """Image of each person, relative to the data set's folder."""
    split: Sequence[str]
    labels: Mapping[str, Labels]
    """Name of a label set (pc, oc) -> labels in the joints of the data set's skeleton."""
    center: np.ndarray | None = None
    """(N, 2) centre of the person's square box in pixels; None: the box is the whole image."""
    side: np.ndarray | None = None
    """(N,) side of the box in pixels."""


@dataclass(frozen=True)
class Crops:
    """People of one split, ready to be sampled: the columns of the annotation table that networks need.

    The box of a person is [-.5, .5] x [-.5, .5] in box coordinates: independent of image, store and input size.
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
    person: Sequence[str]
    center: np.ndarray
    """(N, 2) centre of the box in pixels of the image."""
    side: np.ndarray
    """(N,) side of the box in pixels of the image."""

    def __len__(self) -> int:
        return len(self.row)


def read_crops(folder: Path, split: str, labels: str, joints: Sequence[int | None]) -> Crops:
    """People of `split` in a prepared folder; `joints[j]` is the data set's number of joint j, None if it has none."""
    described = ("person", "row", "density", "center_x", "center_y", "side")
    table = read_people(folder, split, *described, f"joints_{labels}", f"visible_{labels}")
    taken = [0 if joint is None else joint for joint in joints]
    known = np.array([joint is not None for joint in joints])
    center = np.stack([table["center_x"], table["center_y"]], 1)
    xy = table[f"joints_{labels}"].reshape(len(center), -1, 2)
    return Crops(
        store=np.load(folder / "crops.npy", mmap_mode="r"),
        row=table["row"],
        density=table["density"].astype(np.float32),
        joints=((xy[:, taken] - center[:, None]) / table["side"][:, None, None]).astype(np.float32),
        labelled=(table[f"visible_{labels}"][:, taken] > 0) & known,
        person=table["person"].tolist(),
        center=center,
        side=table["side"],
    )


def read_people(folder: Path, split: str, *names: str) -> dict[str, np.ndarray]:
    """Columns of the annotation table in a prepared folder, for the people of one split."""
    table = read_columns(folder / "annotations.parquet", "split", *names)
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
