"""COCO 2017, test-dev: images alone, whose labels only the benchmark's server has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from posetables.data import jsonfiles
from posetables.data.people import People
from posetables.data.readers.coco import images_of


def read(folder: Path, splits: Mapping[str, tuple[int, int]]) -> People:
    """Nobody; `frames` has the images of each split, counted in the order of `annotations/image_info_<split>2017.json`.

    Raises `InputError` for a file of another form, and where there are fewer images than asked for.
    """
    frames = {}
    for name, (first, last) in splits.items():
        path = folder / f"annotations/image_info_{name}2017.json"
        images = images_of(path, jsonfiles.parse(path), first, last)
        frames[name] = [f"test2017/{image['file_name']}" for image in images]
    return People(names=[], images=[], split=[], labels={}, frames=frames)
