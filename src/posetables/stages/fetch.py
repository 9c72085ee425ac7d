"""Bring a data set here in its native layout, every file verified; at mini scale, make its people."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables.data import sources
from posetables.data.people import read_columns

if TYPE_CHECKING:
    from posetables.data.sources import DataSource

SEED = 0
"""Of the synthetic people: the data set is one, whatever the seeds of the trainings are."""


def fetch(
    source: DataSource,
    pins: Mapping[str, str],
    names: Sequence[str],
    outputs: Mapping[str, Path],
    others: Sequence[Path],
    downloads: Path,
) -> dict[str, Any]:
    """Bring the native files `names`; return the licence and, for every place that gave files, how many it gave.

    outputs: first part of a native name -> the file or folder to write. others: folders that earlier fetches filled;
    downloads: where unfinished downloads wait for the next call.
    """
    mirror = os.environ.get(sources.MIRROR_VARIABLE)
    folder = next(iter(outputs.values())).parent / ".native"
    files = sources.fetch(
        source, pins, folder, names=names, mirror=Path(mirror) if mirror else None, others=others, downloads=downloads
    )
    for name, path in outputs.items():
        (folder / name).rename(path)
    # Records travel between machines: the mirror goes by the name that it has on all of them.
    origins = [file.origin.replace(mirror, f"${sources.MIRROR_VARIABLE}") if mirror else file.origin for file in files]
    return {
        "licence": source.licence,
        "cite": source.cite,
        "origins": {origin: origins.count(origin) for origin in dict.fromkeys(origins)},
        "bytes": sum(file.size for file in files),
        "unpinned": {file.name: file.sha256 for file in files if not file.pinned},
    }


def images_of(frames: Path) -> tuple[str, ...]:
    """Native names of the images in a table of frames, each once."""
    return tuple(dict.fromkeys(read_columns(frames, "image")["image"].tolist()))


def synthesise(reader: str, splits: Mapping[str, tuple[int, int]], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """The same files, labels and images, with people that the project draws itself."""
    folder = next(iter(outputs.values())).parent
    importlib.import_module(f"posetables.data.synthetic.{reader}").write(folder, splits, SEED)
    return {"synthetic": True, "splits": {name: list(ends) for name, ends in splits.items()}, "seed": SEED}
