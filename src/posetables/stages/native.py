"""Where the native files of a data set lie, by the outputs of its fetch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def folder_of(outputs: Mapping[str, Path]) -> Path:
    """The folder in which the native names of fetched files begin."""
    return next(iter(outputs.values())).parent
