"""Synthetic images in the layout of COCO's test-dev, whose labels nobody has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from posetables.data.synthetic.coco import draw, write_labels, write_picture
from posetables.data.synthetic.files import counts, generator

DATASET = 6

FIRST_ID = 700_000
"""Below the ids of the images: COCO's are unique over its splits."""


def write(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> None:
    """Writes annotations/image_info_<split>2017.json, a list of images, and test2017/%012d.jpg.

    Splits count images, and share them as test-dev shares those of the whole test. Raises `InputError` for a split
    without images or a negative seed.
    """
    for split, last in counts(folder, splits, seed).items():
        images = range(FIRST_ID + 1, FIRST_ID + last + 1)
        pictures = (draw(generator(seed, DATASET, image))[0] for image in images)
        entries = [write_picture(folder / "test2017", *it) for it in zip(images, pictures, strict=True)]
        write_labels(folder / f"annotations/image_info_{split}2017.json", {"images": entries})
