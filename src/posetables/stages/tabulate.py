"""Render a table from cells: the table as the paper prints it, and everything known about each cell."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from posetables.errors import InputError
from posetables.papers.published import Published
from posetables.papers.rounding import rounded
from posetables.papers.verdict import Kind, verdict
from posetables.recipe import Column, Read, Source, Table, Tolerance, is_released
from posetables.stages import cells
from posetables.stages.cells import Cell

Sources = Mapping[tuple[str, str], Sequence[Source]]
"""(row, column) -> what our number is read from."""


def tabulate(
    table: Table,
    scale: str,
    sources: Sources,
    published: Mapping[tuple[str, str], Published],
    tolerances: Mapping[str, Tolerance],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `table` (rows, columns and rounding of the paper; kind, source and flags of each row), `cells`, and
    `metrics` (JSON: row -> column -> value of ours).

    published: (row, column) -> what the paper prints.
    """
    reader = Reader(inputs)
    made = [
        cell(
            table, scale, row, name, [reader(source) for source in sources.get((row, name), ())],
            published.get((row, name)), tolerances.get(column.key[0]),
        )
        for row in table.rows
        for name, column in table.columns.items()
        if stands(table, row, name, published)
    ]  # fmt: skip
    cells.write(outputs["cells"], made)
    lines = [line(table, [each for each in made if each.row == row]) for row in table.rows]
    with outputs["table"].open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    ours = [each for each in made if each.kind in ("measured", "rescored")]
    metrics: dict[str, dict[str, float | None]] = {each.row: {} for each in ours}
    for each in ours:
        metrics[each.row][each.column] = each.value
    outputs["metrics"].write_text(json.dumps(metrics, indent=1) + "\n")
    return {"cells": len(made), "verdicts": cells.tally([each.verdict or each.kind for each in made])}


def recorded(
    table: Table,
    scale: str,
    sources: Sources,
    published: Mapping[tuple[str, str], Published],
    tolerances: Mapping[str, Tolerance],
) -> dict[str, Any]:
    """All that a table depends on besides its scores, as plain values. Rows, columns and sources are lists, for their
    order is the table's, and canonical JSON has none for keys."""
    return table.model_dump(mode="json") | {
        "rows": list(table.rows),
        "columns": [[name, column.model_dump(mode="json")] for name, column in table.columns.items()],
        "scale": scale,
        "sources": [[*place, [each.model_dump(mode="json") for each in read]] for place, read in sources.items()],
        "published": {f"{row}/{column}": asdict(each) for (row, column), each in published.items()},
        "tolerances": {name: each.model_dump(mode="json") for name, each in tolerances.items()},
    }


def again(
    record: Mapping[str, Any], inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Render the table of a record."""
    recipe = dict(record)
    scale, sources, published, tolerances = (
        recipe.pop(name) for name in ("scale", "sources", "published", "tolerances")
    )
    return tabulate(
        Table.model_validate(recipe | {"rows": dict.fromkeys(recipe["rows"]), "columns": dict(recipe["columns"])}),
        scale,
        {(row, column): [Source.model_validate(each) for each in read] for row, column, read in sources},
        {(each["row"], each["column"]): Published(**each) for each in published.values()},
        {name: Tolerance.model_validate(each) for name, each in tolerances.items()},
        inputs,
        outputs,
    )


def stands(table: Table, row: str, column: str, published: Mapping[tuple[str, str], Published]) -> bool:
    """Whether there is such a cell: what the paper leaves empty stays empty; a row that it lacks has every column."""
    return (row, column) in published or not any((row, name) in published for name in table.columns)


def cell(
    table: Table,
    scale: str,
    row: str,
    name: str,
    found: Sequence[Found],
    published: Published | None,
    tolerance: Tolerance | None,
) -> Cell:
    """Everything known about one cell; `found` is empty where there is no number of ours."""
    column = table.columns[name]
    cited = not found and published is not None and published.kind == "cited"
    kind: Kind = "cited" if cited else "missing"
    if found:
        kind = "rescored" if all(is_released(each.source.experiment) for each in found) else "measured"
    value = (
        column.unit * sum(each.value for each in found) if found else published.value if cited and published else None
    )
    device = next((each.device for each in found if each.device), None)
    allowed = column.unit * tolerance.absolute if tolerance and kind == "measured" else None
    if kind == "rescored" and published:  # one file, one number: only its rounding is free
        allowed = float(rounded(published).slack)
    proxy = None if cited else table.stand_in(row)
    judged, reason = verdict(
        kind, value, None if published is None else published.value, allowed,
        f"{scale} scale" if scale != "paper" and kind == "measured" else None,
        f"{proxy} instead of the paper's split" if proxy else None,
        f"timed on {device}" if device else None,
    )  # fmt: skip
    alone = found[0] if len(found) == 1 else None  # an interval of a sum would need the people of both
    return Cell(
        item=table.name,
        row=row,
        column=name,
        value=value,
        low=column.unit * alone.low if alone and alone.low is not None else None,
        high=column.unit * alone.high if alone and alone.high is not None else None,
        kind=kind,
        scale=scale,
        proxy=proxy or "",
        convention=convention(table, column, found, device),
        published=published.printed if published else "",
        tolerance=allowed,
        verdict=judged,
        reason=reason,
        flag=published.flag if published else "",
        source=" ".join(term(each.source) for each in found) or (published.source if published else ""),
        artifact=" ".join(each.artifact for each in found),
        key=".".join(column.key) if found else "",
    )


def convention(table: Table, column: Column, found: Sequence[Found], device: str | None) -> str:
    """How the number came about: what is scored, or what is timed; and whose boxes, where several say them."""
    told = table.convention
    if device is not None:
        told = f"{'batch 1, warm median' if column.read == 'cost' else 'mean over images'}, {device}"
    boxes = dict.fromkeys(each.source.boxes for each in found if each.source.boxes)
    return f"{told}; boxes: {', '.join(boxes)}" if boxes else told


def line(table: Table, row: Sequence[Cell]) -> dict[str, str]:
    """One row as the paper prints it, then what a reader must know of it."""
    shown = {each.column: text(each, table.columns[each.column].decimals) for each in row}
    kinds = dict.fromkeys(each.kind for each in row)
    flags = [
        f"{columns}: {finding}" if columns else finding
        for finding, rows in cells.findings(row).items()
        for columns in rows.values()
    ]
    return (
        {table.row_header: row[0].row}
        | dict.fromkeys(table.columns, "")
        | shown
        | {"kind": "/".join(kinds), "source": row[0].source, "flags": "; ".join(flags)}
    )


def text(cell: Cell, decimals: int) -> str:
    """The cell as the table prints it: ours rounded as the paper rounds, a cited number to the digit."""
    if cell.kind == "cited":
        return cell.published
    return cell.kind if cell.value is None else f"{cell.value:,.{decimals}f}"


def term(source: Source) -> str:
    return source.experiment if source.factor == 1 else f"{source.factor:+g}*{source.experiment}"


class Found:
    """One number of one file, times its factor."""

    def __init__(self, artifact: Path, content: Mapping[str, Any], source: Source) -> None:
        entry: Any = content
        for key in source.key:
            if not isinstance(entry, Mapping) or key not in entry:
                raise InputError(f"{artifact}: no {'.'.join(source.key)}; check columns in params/papers/*/tables.yaml")
            entry = entry[key]
        self.artifact, self.source = str(artifact), source
        self.value = source.factor * float(entry["value"])
        ends = sorted(source.factor * float(entry[end]) for end in ("low", "high") if end in entry)
        self.low: float | None = ends[0] if ends else None
        self.high: float | None = ends[-1] if ends else None
        self.device = content["device"] if source.key == ("seconds",) else None


class Reader:
    """Reads the numbers that cells are made of, each file once."""

    def __init__(self, inputs: Mapping[str, Mapping[str, Path]]) -> None:
        self.inputs = inputs
        self.contents: dict[Path, Mapping[str, Any]] = {}

    def __call__(self, source: Source) -> Found:
        artifact = self.inputs[source.input][OUTPUT[source.read]]
        if artifact not in self.contents:
            self.contents[artifact] = json.loads(artifact.read_text())
        return Found(artifact, self.contents[artifact], source)


OUTPUT: Mapping[Read, str] = {"score": "scores", "cost": "cost", "speed": "speed"}
"""What a source reads -> the output of its artifact."""
