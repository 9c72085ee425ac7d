"""FLIC, Frames Labeled In Cinema (Sapp & Taskar, MODEC, CVPR 2013)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.people import Labels, People
from posetables.data.skeletons.flic import SKELETON
from posetables.data.splits import of_split
from posetables.errors import InputError

LABELS = "examples_original.mat"
COLUMNS = {
    "nose": 16,
    "left shoulder": 0,
    "left elbow": 1,
    "left wrist": 2,
    "left hip": 6,
    "right shoulder": 3,
    "right elbow": 4,
    "right wrist": 5,
    "right hip": 9,
}
"""Joint -> its column among the 29 of `coords`. Columns 12 and 13 are the eyes, the others hold nothing."""

TORSOS = 3.0
"""Sides of the torso box along one side of a person's box (HCRN, section IV: "3 times of the torso box")."""


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """FLIC: `examples`, 1 x 5,003 people in the order of the file; a split counts the people whose flag it is.

    `coords` is 2 x 29, person-centric; all joints used here are labelled. The torso box, x1 y1 x2 y2, is part of what a
    method is given at test time. The person's box is the square around its centre with three times its longer side.
    One frame may show several people, so its name does not tell them apart: the number in the file does.
    """
    path = folder / LABELS
    examples = matfiles.read_struct(path, "examples")
    flags = {"train": examples.scalars("istrain") == 1, "test": examples.scalars("istest") == 1}
    chosen, split = of_split(path, flags, splits)
    joints = joints_of(examples)[chosen]
    if (lost := np.argwhere(~np.isfinite(joints))).size:
        person, joint, _ = lost[0]
        raise InputError(f"{path}: {SKELETON.joints[joint]} of person {chosen[person] + 1} is unlabelled; get it again")
    frames = np.array(examples.texts("filepath"))[chosen]
    torso = examples.numbers("torsobox", (1, 4))[chosen, 0] - 1
    visible = np.full(joints.shape[:2], 2)
    return People(
        names=[f"{Path(frame).stem}-{number + 1}" for frame, number in zip(frames, chosen, strict=True)],
        images=[f"images/{frame}" for frame in frames],
        split=split,
        labels={"oc": Labels(observer_centric(joints), visible), "pc": Labels(joints, visible)},
        center=(torso[:, :2] + torso[:, 2:]) / 2,
        side=TORSOS * (torso[:, 2:] - torso[:, :2]).max(1),
    )


def joints_of(examples: matfiles.Struct) -> np.ndarray:
    """(N, 10, 2) pixels, the first at 0. The neck is not labelled: it is the middle of the shoulders."""
    coords = examples.numbers("coords", (2, 29)).transpose(0, 2, 1) - 1
    joints = np.empty((len(coords), len(SKELETON.joints), 2))
    for joint, column in COLUMNS.items():
        joints[:, SKELETON.index(joint)] = coords[:, column]
    joints[:, SKELETON.index("neck")] = middle_of_shoulders(joints)
    return joints


def middle_of_shoulders(joints: np.ndarray) -> np.ndarray:
    """(N, 10, 2) -> (N, 2)."""
    shoulders = [SKELETON.index("left shoulder"), SKELETON.index("right shoulder")]
    middle: np.ndarray = joints[:, shoulders].mean(axis=1)
    return middle


def observer_centric(joints: np.ndarray) -> np.ndarray:
    """Person-centric joints (N, 10, 2) with left and right exchanged for people seen from behind.

    Seen from behind is who has the left shoulder and the left hip left of the right ones in the image: the rule of
    MODEC's `flip_backwards_facing_groundtruth.m`, by which all published scores of FLIC are made. It relabels 247 of
    the 5,003 people, 48 of them among the 1,016 of the test.
    """
    behind = np.all(
        [
            joints[:, SKELETON.index(f"left {joint}"), 0] < joints[:, SKELETON.index(f"right {joint}"), 0]
            for joint in ("shoulder", "hip")
        ],
        axis=0,
    )
    relabelled: np.ndarray = np.where(behind[:, None, None], joints[:, SKELETON.flip], joints)
    return relabelled
