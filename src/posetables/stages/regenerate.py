"""Make the path of some cells anew in a folder of its own; hold bytes and numbers against the recorded ones.

What was recorded stays as it is. The same engine, rules and code run; only the root differs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from posetables.errors import InputError
from posetables.progress import say
from posetables.provenance import manifest
from posetables.stages.tabulate import Reader, Sources

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.recipe import Table
    from posetables.stages.cells import Cell

SCRATCH = Path(".posetables/regenerate")

WIRING = ("Snakefile", "workflow", "profiles", "slurm", "params", "constraints.txt")
"""What a root needs besides data and results."""

START = {
    "train": ("train", "calibrate", "predict", "adopt", "score"),
    "predict": ("calibrate", "predict", "adopt", "score"),
    "score": ("score",),
}
"""First stage to run again -> the stages that do. A measurement of time is taken again whenever it is asked for."""

First = Literal["train", "predict", "score"]


@dataclass(frozen=True)
class Comparison:
    """One artifact, recorded and regenerated."""

    artifact: Artifact
    different: tuple[str, ...] | None
    """Outputs with other bytes; None where nothing was recorded."""


def regenerate(sources: Sequence[Artifact], first: First, root: Path, engine: Sequence[str]) -> list[Comparison]:
    """Run everything below `sources` from stage `first` on, in `root`; compare, what is made first, first.

    Data sets that are here and whole are used as they are; others are fetched and prepared anew as well.

    Raises:
        InputError: something that is not to be made anew is not here or not whole, or a stage failed.
    """
    path = list(dict.fromkeys(each for source in sources for each in source.all()))
    again = {*START[first], "measure"}
    kept = [each for each in path if each.stage not in again and each.is_made]
    for each in path:
        if each.stage not in (*again, "fetch", "annotate", "crop") and each not in kept:
            now = each.freshness()
            raise InputError(f"{each.manifest}: {now.state}, {now.why}; make its row anew from the start: --from train")
    _furnish(root, kept)
    command = [str(Path(sys.executable).with_name("snakemake")), *engine, *(str(each.manifest) for each in sources)]
    say(f"{root}: {' '.join([Path(command[0]).name, *command[1:]])}")
    if subprocess.run(command, cwd=root, check=False).returncode:
        raise InputError(f"{root}/logs: a stage failed; its log is there")
    return [_compare(each, root) for each in path if each not in kept]


def _furnish(root: Path, kept: Sequence[Artifact]) -> None:
    """An empty root with the project's wiring, and links to the files that are used as they are."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for name in WIRING:
        if Path(name).exists():
            (root / name).symlink_to(Path(name).resolve())
    for each in kept:
        for path in (each.manifest, *each.outputs.values()):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(path.resolve())


def _compare(artifact: Artifact, root: Path) -> Comparison:
    before, after = manifest.read(artifact.manifest), manifest.read(root / artifact.manifest)
    if after is None:
        raise InputError(f"{root / artifact.manifest}: not made; see {root}/logs")
    if before is None:
        return Comparison(artifact, None)
    names = [name for name, output in after.outputs.items() if output.sha256 != before.outputs[name].sha256]
    return Comparison(artifact, tuple(names))


def numbers(
    chosen: Sequence[Cell], table: Table, sources: Sources, made: Mapping[str, Artifact], root: Path
) -> Mapping[tuple[str, str], float]:
    """(row, column) -> the regenerated value of each cell."""
    reader = Reader({name: {key: root / path for key, path in each.outputs.items()} for name, each in made.items()})
    return {
        (cell.row, cell.column): table.columns[cell.column].unit
        * sum(reader(source).value for source in sources[cell.row, cell.column])
        for cell in chosen
    }
