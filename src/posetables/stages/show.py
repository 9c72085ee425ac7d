"""Print a finished table, with what a reader must know before comparing it with the paper's."""

from __future__ import annotations

import csv
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid

from posetables.progress import say
from posetables.provenance import manifest

if TYPE_CHECKING:
    from posetables.recipe import Table
    from posetables.stages.artifacts import Artifact

SCALE_NOTES = {
    "mini": "mini scale: synthetic people and tiny networks prove the path; the numbers say nothing about the methods.",
    "lite": "lite scale: real people, narrow networks from random weights; not comparable with the paper's numbers.",
    "paper": "paper scale: the paper's recipe.",
}

WIDTH = 132
"""Columns where nobody's terminal sets them."""


def show(table: Table, scale: str, artifact: Artifact, row: str | None = None) -> None:
    """The table, or one row of it, as its CSV has it, once that is verified against its manifest."""
    manifest.verify(artifact.manifest, artifact.outputs)
    if not artifact.is_made:
        say(f"{artifact.manifest}: made by another recipe or other code than these")
    with artifact.outputs["table"].open(newline="") as file:
        header, *lines = csv.reader(file)
    grid = Grid(title=table.title, caption=f"{artifact.outputs['table']}\n{SCALE_NOTES[scale]}")
    shown = [name for name in header if name not in ("kind", "source")]
    for name in shown:
        grid.add_column(name, justify="left" if name == table.row_header else "right", no_wrap=True)
    for line in lines if row is None else [line for line in lines if line[0] == row]:
        grid.add_row(*(value for name, value in zip(header, line, strict=True) if name in shown))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(grid)
