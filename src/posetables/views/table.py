"""Print a finished table, with what a reader must know before comparing it with the paper's."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from posetables.progress import say
from posetables.provenance import manifest
from posetables.stages import cells
from posetables.views.console import SCALE_NOTES, console

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.recipe import Table


def print_table(table: Table, scale: str, artifact: Artifact, row: str | None = None) -> None:
    """The table, or one row of it, as its CSV has it, once that is verified against its manifest.

    What our audit of the paper found about a printed number is starred and told below; cited rows are dim.
    """
    manifest.verify(artifact.manifest, artifact.outputs)
    if not artifact.is_made:
        say(f"{artifact.manifest}: made by another recipe or other code than these")
    shown = [cell for cell in cells.read(artifact.outputs["cells"]) if row in (None, cell.row)]
    flagged = {(cell.row, cell.column) for cell in shown if cell.flag}
    with artifact.outputs["table"].open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if row in (None, line[table.row_header])]
    grid = Grid(title=table.title, caption=f"{artifact.outputs['table']}\n{SCALE_NOTES[scale]}")
    for name in (table.row_header, *table.columns):
        grid.add_column(escape(name), justify="left" if name == table.row_header else "right", no_wrap=True)
    for line in lines:
        starred = [line[name] + "*" * ((line[table.row_header], name) in flagged) for name in table.columns]
        grid.add_row(escape(line[table.row_header]), *starred, style="dim" if line["kind"] == "cited" else None)
    out = console()
    out.print(grid)
    for note in (*cells.footnotes(shown), *table.notes):
        out.print(escape(note))
