"""People that somebody else's detector found, in the file that was published: HRNet's, with AP 56.4 on val2017."""

from __future__ import annotations

from pathlib import Path

from posetables.data import detections
from posetables.data.detections import Detections


def read(path: Path) -> Detections:
    """A COCO detection file, as it is; InputError if it is none."""
    return detections.read(path)
