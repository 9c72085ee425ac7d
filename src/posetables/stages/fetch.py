"""Bring a data set here in its native layout, every file verified; at mini scale, make its people."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables.data import sources
from posetables.errors import InputError

if TYPE_CHECKING:
    from posetables.data.sources import DataSource

SEED = 0
"""Of the synthetic people: the data set is one, whatever the seeds of the trainings are."""

NUMBER = re.compile(r"images/im(\d+)\.jpg")


def fetch(
    source: DataSource,
    pins: Mapping[str, str],
    splits: Mapping[str, tuple[int, int]],
    outputs: Mapping[str, Path],
    others: Sequence[Path],
    downloads: Path,
) -> dict[str, Any]:
    """Fill the folder `files`; return the licence and, for every place that gave files, how many it gave.

    others: folders that earlier fetches filled; downloads: where unfinished downloads wait for the next call.
    """
    mirror = os.environ.get(sources.MIRROR_VARIABLE)
    files = sources.fetch(
        source,
        pins,
        outputs["files"],
        mirror=Path(mirror) if mirror else None,
        others=others,
        downloads=downloads,
        wanted=lambda name: _is_used(name, splits),
    )
    # Records travel between machines: the mirror goes by the name that it has on all of them.
    origins = [file.origin.replace(mirror, f"${sources.MIRROR_VARIABLE}") if mirror else file.origin for file in files]
    return {
        "licence": source.licence,
        "cite": source.cite,
        "origins": {origin: origins.count(origin) for origin in dict.fromkeys(origins)},
        "bytes": sum(file.size for file in files),
        "unpinned": {file.name: file.sha256 for file in files if not file.pinned},
    }


def synthesise(reader: str, splits: Mapping[str, tuple[int, int]], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """The same folder, with people that the project draws itself."""
    from posetables.data import synthetic

    writers = {"lsp": synthetic.write_lsp, "lspet": synthetic.write_lspet}
    if reader not in writers:
        raise InputError(f"params/datasets: reader {reader!r} has no synthetic people; use --scale lite or paper")
    people = max(last for _, last in splits.values())
    writers[reader](outputs["files"], people, SEED)
    return {"synthetic": True, "people": people, "seed": SEED}


def _is_used(name: str, splits: Mapping[str, tuple[int, int]]) -> bool:
    number = NUMBER.fullmatch(name)
    return number is None or any(first <= int(number[1]) <= last for first, last in splits.values())
