"""Cells: everything known about each number of a table, one line of `<item>.cells.csv` each."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from posetables.papers.verdict import Kind, Verdict
from posetables.recipe import Params


class Cell(Params):
    """(item, row, column) and what stands there; empty where a thing is not known."""

    item: str
    row: str
    column: str
    value: float | None
    """At full precision, in the unit that the paper prints."""
    low: float | None
    """Ends of the 95 % interval: over test people (bootstrap), or over runs of a time."""
    high: float | None
    kind: Kind
    scale: str
    proxy: str
    """The split that stands in for the paper's."""
    convention: str
    published: str
    """Digits as printed."""
    tolerance: float | None
    verdict: Verdict
    reason: str
    flag: str
    """What our audit of the paper found about the printed number."""
    source: str
    """Experiment, or the work that the paper cites."""
    artifact: str
    """File that the value was read from, and the key in it; one for each experiment, with its factor."""
    key: str

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        """A number of ours is read from a file of ours; what is cited never passes for measured."""
        ours = self.kind in ("measured", "rescored")
        if ours != bool(self.artifact and self.key):
            raise ValueError(
                f"{self.item}, {self.row}, {self.column}: {self.kind}, read from {self.artifact or 'no file'}"
            )
        return self


def write(path: Path, cells: Sequence[Cell]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(Cell.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(cell.model_dump() for cell in cells)


def read(path: Path) -> tuple[Cell, ...]:
    """The cells of one table, in the order of its rows and columns."""
    numbers = ("value", "low", "high", "tolerance")
    with path.open(newline="") as file:
        return tuple(
            Cell.model_validate(line | {name: line[name] or None for name in numbers}) for line in csv.DictReader(file)
        )


def tally(names: Sequence[str]) -> dict[str, int]:
    """How often each name stands there, in alphabetical order."""
    return dict(sorted(Counter(names).items()))


def findings(cells: Sequence[Cell]) -> dict[str, dict[str, str]]:
    """What our audit of the paper found -> the rows that it concerns -> their columns; nothing stands for all."""
    count = Counter(cell.row for cell in cells)
    found: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        for finding in cell.flag.split("; ") if cell.flag else ():
            found.setdefault(finding, {}).setdefault(cell.row, []).append(cell.column)
    return {
        finding: {row: "" if len(columns) == count[row] else ", ".join(columns) for row, columns in rows.items()}
        for finding, rows in found.items()
    }


def footnotes(cells: Sequence[Cell]) -> list[str]:
    """One line a finding, for the stars of a table."""
    return [
        f"* {'; '.join(f'{row} / {columns}' if columns else row for row, columns in rows.items())}: {finding}"
        for finding, rows in findings(cells).items()
    ]
