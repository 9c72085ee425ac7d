"""MPII Human Pose (Andriluka et al., CVPR 2014) in the common JSON form: training people and Tompson's validation set.

Whoever mixes files of MPII meets scales and centres of two kinds: raw, as MPII publishes them, and already enlarged and
shifted as the stacked hourglass takes them (the HDF5 files of Newell et al.). Adjusting twice crops people too small
and raises no error anywhere. So the kind is found from the labels: MPII made `scale` from the head.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from posetables.data import matfiles
from posetables.data.people import Labels, People
from posetables.data.skeletons.mpii import SKELETON
from posetables.data.splits import of_split
from posetables.errors import InputError

LABELS, TRUTH = "mpii_annotations.json.gz", "tompson_detections_our_format.mat"
MAX_BYTES = 256_000_000
"""Of the JSON unpacked, which has 33 MB."""

UNIT = 200.0
"""Pixels: `scale` is the height of a person in units of 200 pixels."""
NECK_TO_TOP = 1 / 6
"""Distance from upper neck to head top over 200 x raw scale: within 1 % for 98 of 100 people of MPII."""
HEAD = 25.0
"""Pixels of head size (0.6 x the diagonal of the head box) for each unit of raw scale: all of val, to .02 pixels."""
ENLARGED, LOWERED = 1.25, 15.0
"""Stacked hourglass (Newell et al., ECCV 2016, img.lua): box side x 1.25; centre 15 pixels x scale down."""

SAME = 1.0
"""Pixels by which a joint may differ between the two files and be the same; of one person most are."""

_KEYS = ("img_paths", "isValidation", "people_index", "objpos", "scale_provided", "joint_self")


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """MPII: 22,246 people of `train` and 2,958 of `val`, each counted in the order of the file.

    `joint_self` is 16 x 3, pixels from 1; the third number is 1 for a visible joint and 0 for an occluded one, and all
    are 0 for an unlabelled one. Joints and `head` of val are those of the file by which published results are scored:
    `pos_gt_src`, 16 x 2 x N, and .6 of the diagonals of `headboxes_src`, 2 x 2 x N. (13 of its joints have a coordinate
    of 0 where the JSON has a place; every published number counts them so.) `head` of train follows from the scale.
    """
    path = folder / LABELS
    people = _entries(path)
    joints, visible = _labels(people["joint_self"])
    check_raw(path, joints, visible, people["scale_provided"])
    val = people["isValidation"] == 1
    head = HEAD * people["scale_provided"]
    joints[val], head[val] = _truth(folder / TRUTH, joints[val], visible[val])
    chosen, split = of_split(path, {"train": ~val, "val": val}, splits)
    center, side = box(people["objpos"][chosen], people["scale_provided"][chosen])
    images = people["img_paths"][chosen]
    return People(
        names=[f"{Path(image).stem}-{n:.0f}" for image, n in zip(images, people["people_index"][chosen], strict=True)],
        images=[f"images/{image}" for image in images],
        split=split,
        labels={"pc": Labels(joints[chosen], visible[chosen])},
        center=center,
        side=side,
        measures={"head": head[chosen]},
    )


def box(objpos: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre (N, 2) and side (N,) of people's boxes in pixels, the first at 0, from raw positions and scales.

    The stacked hourglass's adjustment: a larger box, lower down, as ankles were lost otherwise.
    """
    center = objpos - 1 + np.stack([np.zeros(len(scale)), LOWERED * scale], 1)
    return center, ENLARGED * UNIT * scale


def check_raw(path: Path, joints: np.ndarray, visible: np.ndarray, scale: np.ndarray) -> None:
    """Raise `InputError` when scales (N,) are adjusted for cropping already.

    From upper neck to head top it is 1/6 of 200 x raw scale, and 1/7.5 of 200 x adjusted scale. The median over all
    people with both joints labelled is held against the middle, 0.15.
    """
    neck, top = SKELETON.index("upper neck"), SKELETON.index("head top")
    known = (visible[:, neck] > 0) & (visible[:, top] > 0)
    if not known.any():
        raise InputError(f"{path}: nobody has a labelled head, so nothing tells whether scales are raw; get it again")
    ratio = np.median(np.linalg.norm(joints[:, top] - joints[:, neck], axis=1)[known] / (UNIT * scale[known]))
    if ratio < NECK_TO_TOP * (1 + 1 / ENLARGED) / 2:
        raise InputError(
            f"{path}: scale: from neck to head top it is {ratio:.3f} of the height, 0.167 is right for raw scales and "
            "0.133 for adjusted ones; divide scale by 1.25 and move the centre up by 15 x that, or get the raw file"
        )


def _entries(path: Path) -> dict[str, np.ndarray]:
    """Key -> one value a person, (N, ...)."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
        entries = json.loads(content) if len(content) <= MAX_BYTES else None
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; fetch the data set again") from error
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); get the file again") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: no list of people of less than {MAX_BYTES:,} bytes; is it the right file?")
    people: dict[str, np.ndarray] = {}
    for key in _KEYS:
        try:
            people[key] = np.array([entry[key] for entry in entries], str if key == "img_paths" else np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: {key} is missing or of another form for somebody; get it again") from error
    _check(path, people)
    return people


def _check(path: Path, people: Mapping[str, np.ndarray]) -> None:
    shapes: dict[str, tuple[int, ...]] = {"objpos": (2,), "joint_self": (len(SKELETON.joints), 3)}
    for key, values in people.items():
        if values.shape[1:] != shapes.get(key, ()):
            raise InputError(f"{path}: {key} is {values.shape[1:]} a person, expected {shapes.get(key, ())}")
        if key == "img_paths":
            bad = np.array([Path(name).name != name for name in values])
        else:
            bad = ~np.isfinite(values).reshape(len(values), -1).all(1)
        if bad.any():
            raise InputError(f"{path}: {key} of person {bad.argmax() + 1} is {values[bad][0]}; get the file again")
    if (people["scale_provided"] <= 0).any():
        raise InputError(f"{path}: scale_provided of person {(people['scale_provided'] <= 0).argmax() + 1} is not > 0")


def _labels(native: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Native (N, 16, 3) -> joints (N, 16, 2) in pixels from 0, and how visible they are."""
    labelled = (native != 0).any(2)
    visible = np.where(labelled, np.where(native[:, :, 2] == 1, 2, 1), 0)
    return np.where(labelled[:, :, None], native[:, :, :2] - 1, 0.0), visible


def _truth(path: Path, joints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints (N, 16, 2) from 0 and sizes of heads (N,) of N people, whom their joints in the JSON must tell again."""
    found = matfiles.read(path, "pos_gt_src", (len(SKELETON.joints), 2, None)).transpose(2, 0, 1) - 1
    corners = matfiles.read(path, "headboxes_src", (2, 2, None))
    if len(found) != len(joints) or corners.shape[2] != len(joints):
        raise InputError(f"{path}: {len(found)} people, {LABELS} has {len(joints)} of val; fetch both again")
    known = visible > 0
    same = (np.abs(found - joints).max(2) <= SAME) & known
    if (others := 2 * same.sum(1) < known.sum(1)).any():
        raise InputError(
            f"{path}: pos_gt_src: person {others.argmax() + 1} is another one than in {LABELS}; fetch again"
        )
    heads: np.ndarray = 0.6 * np.linalg.norm(corners[1] - corners[0], axis=0)
    if (heads <= 0).any():
        raise InputError(
            f"{path}: headboxes_src: the head of person {(heads <= 0).argmax() + 1} has no size; fetch again"
        )
    return np.where(known[..., None], found, 0.0), heads
