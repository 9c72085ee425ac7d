"""Examine the data sets that are here, in the folder of the project or in the user's mirror: nothing is written."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posetables.data import conventions, sources
from posetables.data.conventions import Check
from posetables.errors import InputError
from posetables.progress import track
from posetables.provenance import hashes

if TYPE_CHECKING:
    from posetables.data.people import People
    from posetables.data.sources import DataSource
    from posetables.stages.artifacts import Artifacts

NAMED = 3
"""Files that a line names; of more it gives the number."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found of one data set."""

    dataset: str
    title: str
    folder: Path
    checks: Sequence[Check]


def diagnose(artifacts: Artifacts, datasets: Sequence[str]) -> Iterator[Diagnosis]:
    """One diagnosis a data set, by default of all that are here.

    Raises `InputError` for one that is not, or if none is.
    """
    chosen = datasets or artifacts.recipes.datasets
    here = {name: folder for name in chosen if (folder := place(artifacts, name)) is not None}
    if absent := [name for name in datasets if name not in here]:
        raise InputError(f"{absent[0]}: not here; run: posetables fetch {absent[0]} --scale {artifacts.scale}")
    if not here:
        raise InputError(f"{artifacts.raw}: no data set here; run posetables fetch, or set {sources.MIRROR_VARIABLE}")
    for name, folder in here.items():
        yield Diagnosis(name, artifacts.recipes.source(name).title, folder, tuple(examine(artifacts, name, folder)))


def place(artifacts: Artifacts, dataset: str) -> Path | None:
    """Where a data set lies: what was fetched comes before the mirror, out of which synthetic people never come."""
    source, mirror = artifacts.recipes.source(dataset), os.environ.get(sources.MIRROR_VARIABLE)
    folders = [artifacts.raw / dataset]
    if mirror and not artifacts.is_synthetic(dataset):
        folders.append(Path(mirror) / source.mirror)
    return next((each for each in folders if any((each / name).is_file() for name in source.native)), None)


def examine(artifacts: Artifacts, dataset: str, folder: Path) -> Iterator[Check]:
    """Files first, then what they say, then what the reader makes of them and which images that needs."""
    source, synthetic = artifacts.recipes.source(dataset), artifacts.is_synthetic(dataset)
    yield _present("label files" if source.reader else "files", source.native, folder, asked=True)
    if not synthetic:
        yield from _pinned(dataset, artifacts.recipes.pins(dataset), source, folder)
    if source.reader is None:
        return
    try:
        asked = conventions.of(source.reader)
        if asked is not None and hasattr(asked, "native"):
            yield from asked.native(folder)
        splits = artifacts.recipes.splits(dataset, artifacts.scale)
        people: People = importlib.import_module(f"posetables.data.readers.{source.reader}").read(folder, splits)
        if asked is not None and hasattr(asked, "conventions"):
            yield from asked.conventions(people)
    except InputError as error:
        yield Check("labels can be read", str(error), "", holds=False)
        return
    whole = [name for name, ends in splits.items() if ends == source.splits.get(name) and not synthetic]
    yield from _counted(people, source, whole)
    fetched = folder == artifacts.raw / dataset and artifacts.fetch_images(dataset).manifest.is_file()
    yield _present("images", tuple(dict.fromkeys(_images(people))), folder, asked=fetched)


def _present(what: str, names: Sequence[str], folder: Path, asked: bool) -> Check:
    """asked: whether they have to be here; else it is only told how many are."""
    gone = [name for name in names if not (folder / name).is_file()]
    seen = f"{len(names) - len(gone):,} of {len(names):,}" + (f"; missing: {_some(gone)}" if gone else "")
    return Check(f"{what} that are here", seen, "all", holds=not gone if asked or not gone else None)


def _pinned(dataset: str, pins: Mapping[str, str], source: DataSource, folder: Path) -> Iterator[Check]:
    """Every file that is here and whose hash is known; labels without a known hash are told."""
    here = [name for name in pins if (folder / name).is_file()]
    wrong = [
        name for name in track(here, f"{dataset}: hashes") if not hashes.sha256(folder / name).startswith(pins[name])
    ]
    if here:
        altered = f"; truncated or altered: {_some(wrong)}" if wrong else ""
        seen = f"{len(here) - len(wrong):,} of {len(here):,}{altered}"
        yield Check("files with the pinned hash", seen, "all", not wrong)
    if bare := [name for name in source.native if name not in pins]:
        yield Check("files whose hash is not known", _some(bare), "", None)


def _counted(people: People, source: DataSource, whole: Sequence[str]) -> Iterator[Check]:
    """Of splits that the scale narrows the numbers are told, and not held against those of the whole."""
    for split in dict.fromkeys([*people.split, *people.frames]):
        mine = [i for i, each in enumerate(people.split) if each == split]
        images = people.frames.get(split) or {people.images[i] for i in mine}
        known = source.counts.get(split)
        found = {"people": len(mine), "images": len(images)}
        expected = {} if known is None else known.model_dump(exclude_none=True)
        asked = split in whole and bool(expected)
        holds = all(found[what] == number for what, number in expected.items())
        wanted = _told(expected) if asked else f"the whole has {_told(expected)}" if expected else ""
        yield Check(f"counts of {split}", _told(found), wanted, holds=holds if asked else None)


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in counts.items())


def _images(people: People) -> Iterable[str]:
    return (image for images in people.frames.values() for image in images) if people.frames else people.images


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
