"""COCO's test-dev: a list of images whose ids are the numbers in their names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from posetables.data import jsonfiles
from posetables.data.conventions import Check
from posetables.data.conventions.coco import images


def native(folder: Path) -> Iterator[Check]:
    """Results go to the server by these ids."""
    path = folder / "annotations/image_info_test-dev2017.json"
    yield from images(path, jsonfiles.parse(path))
