"""The paper's table and ours, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from posetables.stages.cells import Cell, footnotes
from posetables.stages.tabulate import text
from posetables.views.console import SCALE_NOTES, console

if TYPE_CHECKING:
    from posetables.recipe import Table

COLOURS = {"reproduced": "green", "differs": "red", "not comparable": "default", "missing": "dim", "": "dim"}
MARKDOWN = {"reproduced": "**{}**", "differs": "~~{}~~", "not comparable": "{}", "missing": "{}", "": "*{}*"}


def sides(cell: Cell, decimals: int) -> tuple[str, str]:
    """(ours, theirs), a star on a printed number that our audit flags."""
    ours = "·" if cell.kind in ("cited", "missing") else text(cell, decimals)
    return ours, (cell.published or "·") + ("*" if cell.flag else "")


def print_comparison(table: Table, scale: str, cells: Sequence[Cell]) -> None:
    out = console()
    grid = Grid(title=table.title, caption=SCALE_NOTES[scale])
    grid.add_column(table.row_header, no_wrap=True)
    for name in table.columns:
        grid.add_column(f"{escape(name)}\nours paper", justify="right", no_wrap=True)
    for name, row in _rows(cells).items():
        grid.add_row(
            escape(name), *(_coloured(row.get(column), each.decimals) for column, each in table.columns.items())
        )
    out.print(grid)
    for line in _notes(table, cells):
        out.print(escape(line))


def _coloured(cell: Cell | None, decimals: int) -> str:
    if cell is None:
        return ""
    ours, theirs = sides(cell, decimals)
    return f"[{COLOURS[cell.verdict]}]{ours}[/] [dim]{theirs}[/]"


def markdown(table: Table, scale: str, cells: Sequence[Cell]) -> str:
    """The same as a Markdown table: ours / the paper's; bold what is reproduced, struck what differs, italic what has
    no verdict."""
    lines = [
        f"### {table.title}",
        "",
        f"{SCALE_NOTES[scale]} Cells: ours / the paper's.",
        "",
        "| " + " | ".join([table.row_header, *table.columns]) + " |",
        "| --- |" + " ---: |" * len(table.columns),
    ]
    for name, row in _rows(cells).items():
        shown = [_marked(row.get(column), each.decimals) for column, each in table.columns.items()]
        lines.append("| " + " | ".join([name.replace("|", "\\|"), *shown]) + " |")
    return "\n".join([*lines, "", *(f"- {line}" for line in _notes(table, cells))])


def _marked(cell: Cell | None, decimals: int) -> str:
    if cell is None:
        return ""
    ours, theirs = sides(cell, decimals)
    return f"{MARKDOWN[cell.verdict].format(ours)} / {theirs}"


def _rows(cells: Sequence[Cell]) -> Mapping[str, dict[str, Cell]]:
    rows: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, {})[cell.column] = cell
    return rows


def _notes(table: Table, cells: Sequence[Cell]) -> list[str]:
    """How to read it: convention, verdicts with their reasons, flags, the table's own notes."""
    verdicts = Counter(
        f"{cell.verdict} ({cell.reason})" if cell.verdict in ("not comparable", "missing") else cell.verdict
        for cell in cells
        if cell.verdict
    )
    kinds = Counter(cell.kind for cell in cells)
    return [
        f"convention: {table.convention}",
        "cells: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        *(f"{count} {told}" for told, count in verdicts.items()),
        *footnotes(cells),
        *table.notes,
    ]
