"""Render a table from cell records: the table as the paper prints it, and everything known about each cell."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posetables.recipe import Table


def tabulate(
    table: Table,
    scale: str,
    published: Mapping[tuple[str, str], str],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `table` (rows, columns and rounding of the paper; kind and source of each row) and `cells`.

    published: (row, column) -> the number that the paper prints.
    """
    records = [
        cell(table, scale, row, name, inputs, published.get((row, name)))
        for row in table.rows
        for name in table.columns
    ]
    write(outputs["cells"], records)
    lines = []
    for row, experiment in table.rows.items():
        mine = {record["column"]: record["value"] for record in records if record["row"] == row}
        cells = {name: f"{mine[name]:.{column.decimals}f}" for name, column in table.columns.items()}
        lines.append({table.row_header: row} | cells | {"kind": "measured", "source": experiment})
    write(outputs["table"], lines)
    return {"cells": len(records)}


def cell(
    table: Table,
    scale: str,
    row: str,
    name: str,
    inputs: Mapping[str, Mapping[str, Path]],
    published: str | None,
) -> dict[str, Any]:
    """Everything known about one cell."""
    column, experiment = table.columns[name], table.rows[row]
    (artifact,) = inputs[f"{column.read}:{experiment}"].values()
    content = json.loads(artifact.read_text())
    found = content
    for key in column.key:
        found = found[key]
    return {
        "item": table.name,
        "row": row,
        "column": name,
        "value": found["value"],
        "low": found.get("low"),
        "high": found.get("high"),
        "kind": "measured",
        "scale": scale,
        "convention": table.convention if column.read == "score" else f"batch 1, warm median, {content['device']}",
        "published": published,
        "experiment": experiment,
        "artifact": str(artifact),
        "key": ".".join(column.key),
    }


def write(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Records with the same keys as CSV; numbers at full precision, nothing for None."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
