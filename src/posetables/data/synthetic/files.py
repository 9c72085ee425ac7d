"""Native files that are the same to the byte on every call, and one stream of random numbers for every image."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from posetables.data import matwriter
from posetables.data.synthetic.painting import Picture
from posetables.errors import InputError


def generator(seed: int, dataset: int, number: int, split: str = "") -> np.random.Generator:
    """Random numbers of image `number` of a split, whatever else is drawn; every data set has a number of its own."""
    return np.random.Generator(
        np.random.Philox(key=[seed, number], counter=[0, 0, zlib.crc32(split.encode()), dataset])
    )


def counts(folder: Path, splits: Mapping[str, tuple[int, int]], seed: int) -> dict[str, int]:
    """How many people or images each split needs: the last that it counts.

    Raises `InputError` for a split without any, no split at all, or a seed that is no 64-bit number.
    """
    last = {split: int(end) for split, (_, end) in splits.items()} or {"people": 0}
    for split, people in last.items():
        if people < 1:
            raise InputError(f"{folder}: {split} is {people}; ask for at least one synthetic person")
    if not 0 <= seed < 2**64:
        raise InputError(f"{folder}: seed is {seed}; give a whole number from 0 to 2**64 - 1")
    return last


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_image(path: Path, picture: Picture) -> None:
    write_bytes(path, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())


def write_mat(path: Path, content: Mapping[str, Any]) -> None:
    matwriter.write(path, content, "synthetic people of posetables")
