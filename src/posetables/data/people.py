"""People of a data set as arrays: what its reader returns, and what its annotation table and crop store give back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd


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
    table = read_table(folder, split)
    xy, visible = unpack(table, labels)
    taken = [0 if joint is None else joint for joint in joints]
    known = np.array([joint is not None for joint in joints])
    center = table[["center_x", "center_y"]].to_numpy()
    side = table["side"].to_numpy()
    return Crops(
        store=np.load(folder / "crops.npy", mmap_mode="r"),
        row=table["row"].to_numpy(),
        density=table["density"].to_numpy(np.float32),
        joints=((xy[:, taken] - center[:, None]) / side[:, None, None]).astype(np.float32),
        labelled=(visible[:, taken] > 0) & known,
        person=table["person"].tolist(),
        center=center,
        side=side,
    )


def read_table(folder: Path, split: str) -> pd.DataFrame:
    """Rows of one split of the annotation table."""
    table = pd.read_parquet(folder / "annotations.parquet")
    return table[table["split"] == split].reset_index(drop=True)


def unpack(table: pd.DataFrame, labels: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, J, 2) joints in pixels of the image and (N, J) visibility of one label set."""
    joints = np.stack(table[f"joints_{labels}"].tolist())
    return joints.reshape(len(table), -1, 2), np.stack(table[f"visible_{labels}"].tolist())
