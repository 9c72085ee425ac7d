"""Render a table from cell records: the table as the paper prints it, and everything known about each cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from posetables.recipe import Column, Table


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
    pd.DataFrame(records).to_csv(outputs["cells"], index=False)
    lines = [
        {table.row_header: row}
        | {name: printed(record["value"], column) for (name, column), record in _of_row(row, table, records)}
        | {"kind": "measured", "source": experiment}
        for row, experiment in table.rows.items()
    ]
    pd.DataFrame(lines).to_csv(outputs["table"], index=False)
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


def printed(value: float, column: Column) -> str:
    return f"{value:.{column.decimals}f}"


def _of_row(row: str, table: Table, records: list[dict[str, Any]]) -> Any:
    mine = [record for record in records if record["row"] == row]
    return zip(table.columns.items(), mine, strict=True)
