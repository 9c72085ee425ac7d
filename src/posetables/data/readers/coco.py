"""COCO 2017 with keypoints (Lin et al., ECCV 2014): train and val.

Everybody is read, crowds and people without a labelled joint too: COCO's metric ignores them, but has to know where
they are. Coordinates are taken as they stand, as pycocotools and HRNet do: keypoints count pixels from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from posetables.data import jsonfiles
from posetables.data.boxes import square
from posetables.data.jsonfiles import Entry
from posetables.data.people import Labels, People
from posetables.data.skeletons.coco import SKELETON
from posetables.errors import InputError


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """Splits count images, in the order of `annotations/person_keypoints_<split>2017.json`; `frames` has all of them.

    Names are `<image's stem>-<annotation's id>`. Measures: `area` (N,) of the person's segment in pixels squared;
    `box` (N, 4) x, y, w, h in pixels as annotated; `crowd` (N,) 0 or 1.

    Raises `InputError` for files of another form, and where there are fewer images than asked for.
    """
    parts, frames = [], {}
    for name, (first, last) in splits.items():
        path = folder / f"annotations/person_keypoints_{name}2017.json"
        content = jsonfiles.parse(path)
        images = images_of(path, content, first, last)
        frames[name] = [f"{name}2017/{image['file_name']}" for image in images]
        parts.append(_people(path, name, images, frames[name], jsonfiles.entries(path, content, "annotations")))
    return _together(parts, frames)


def clean(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) cut to their images of `sizes` (N, 2) width, height: HRNet's clean-up before it crops.

    A box w pixels wide ends at the centre of its last pixel, w - 1 after that of its first.
    """
    first = np.maximum(boxes[:, :2], 0)
    last = np.minimum(sizes - 1, first + np.maximum(boxes[:, 2:] - 1, 0))
    return np.concatenate([first, np.maximum(last - first, 0)], 1)


def images_of(path: Path, content: Any, first: int, last: int) -> Sequence[Entry]:
    """Entries of the images `first` to `last` of a file, from 1 and inclusive, with names that may become paths."""
    images = jsonfiles.entries(path, content, "images")
    if len(images) < last:
        raise InputError(f"{path}: images: {len(images):,}, but splits ask for {last:,}; get the whole file")
    chosen = images[first - 1 : last]
    for image, number in zip(chosen, jsonfiles.numbers(path, chosen, "id"), strict=True):
        name = f"{number:012.0f}.jpg"
        if image.get("file_name") != name:
            raise InputError(f"{path}: images: file_name of {number:.0f} is not {name}; is it the file of 2017?")
    return chosen


def _people(path: Path, split: str, images: Sequence[Entry], files: Sequence[str], those: Sequence[Entry]) -> People:
    """Everybody in the images, an image after the other."""
    row = {number: i for i, number in enumerate(jsonfiles.numbers(path, images, "id"))}
    of = np.array([row.get(number, -1) for number in jsonfiles.numbers(path, those, "image_id")], np.intp)
    order = np.argsort(of, kind="stable")
    order = order[of[order] >= 0]
    of, those = of[order], [those[i] for i in order]
    sizes = np.stack([jsonfiles.numbers(path, images, key) for key in ("width", "height")], 1)
    boxes = jsonfiles.numbers(path, those, "bbox", 4)
    center, side = square(clean(boxes, sizes[of]))
    ids = jsonfiles.numbers(path, those, "id")
    return People(
        names=[f"{PurePosixPath(files[i]).stem}-{number:.0f}" for i, number in zip(of, ids, strict=True)],
        images=[files[i] for i in of],
        split=[split] * len(those),
        labels={"pc": _labels(path, those)},
        center=center,
        side=side,
        measures={
            "area": jsonfiles.numbers(path, those, "area"),
            "box": boxes,
            "crowd": jsonfiles.numbers(path, those, "iscrowd").astype(np.int8),
        },
    )


def _labels(path: Path, those: Sequence[Entry]) -> Labels:
    """COCO's flags are ours; unlabelled joints are at 0, 0."""
    count = len(SKELETON.joints)
    keypoints = jsonfiles.numbers(path, those, "keypoints", 3 * count).reshape(len(those), count, 3)
    visible = keypoints[:, :, 2]
    if not np.isin(visible, (0, 1, 2)).all():
        raise InputError(f"{path}: keypoints: a flag is none of 0, 1 and 2; is it a file of annotations?")
    return Labels(keypoints[:, :, :2], visible.astype(np.int8))


def _together(parts: Sequence[People], frames: Mapping[str, Sequence[str]]) -> People:
    labels = [part.labels["pc"] for part in parts]
    return People(
        names=[name for part in parts for name in part.names],
        images=[image for part in parts for image in part.images],
        split=[name for part in parts for name in part.split],
        labels={
            "pc": Labels(
                np.concatenate([each.joints for each in labels]), np.concatenate([each.visible for each in labels])
            )
        },
        center=np.concatenate([part.center for part in parts if part.center is not None]),
        side=np.concatenate([part.side for part in parts if part.side is not None]),
        measures={name: np.concatenate([part.measures[name] for part in parts]) for name in parts[0].measures},
        frames=frames,
    )
