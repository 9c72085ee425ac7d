"""Tables: rows, columns and rounding of the paper, every cell with the file and key that it was read from."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from posetables.recipe import Column, Table
from posetables.stages.tabulate import tabulate

TABLE = Table(
    name="hcrn_table0",
    paper="hcrn",
    title="A table",
    row_header="Methods",
    convention="PCK@0.2 PC",
    protocol="pyramid3",
    columns={
        "Avg": Column(read="score", key=("pck", "Avg")),
        "Time in secs.": Column(read="cost", key=("seconds",), decimals=3),
    },
    rows={"HG-HCRN": "hcrn/lsp-pc/hg-hcrn", "HG": "hcrn/lsp-pc/hg"},
)


@pytest.fixture
def made(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table and the cells, as text."""
    inputs = {}
    for i, experiment in enumerate(TABLE.rows.values()):
        score, cost = tmp_path / f"{i}.score.json", tmp_path / f"{i}.cost.json"
        score.write_text(json.dumps({"pck": {"Avg": {"value": 85.66 + i, "low": 80.0, "high": 90.0}}}))
        cost.write_text(json.dumps({"seconds": {"value": 0.20199, "low": 0.2, "high": 0.21}, "device": "an abacus"}))
        inputs |= {f"score:{experiment}": {"scores": score}, f"cost:{experiment}": {"cost": cost}}
    outputs = {"table": tmp_path / "table.csv", "cells": tmp_path / "cells.csv"}
    tabulate(TABLE, "mini", {("HG-HCRN", "Avg"): "85.7"}, inputs, outputs)
    return pd.read_csv(outputs["table"], dtype=str), pd.read_csv(outputs["cells"]).set_index(["row", "column"])


def test_the_table_is_rounded_as_the_paper_rounds(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert made[0].values.tolist() == [
        ["HG-HCRN", "85.7", "0.202", "measured", "hcrn/lsp-pc/hg-hcrn"],
        ["HG", "86.7", "0.202", "measured", "hcrn/lsp-pc/hg"],
    ]
    assert list(made[0].columns) == ["Methods", "Avg", "Time in secs.", "kind", "source"]


def test_a_cell_keeps_its_full_value_and_where_it_comes_from(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cell = made[1].loc[("HG", "Avg")]
    assert (cell["value"], cell["low"], cell["high"]) == (86.66, 80.0, 90.0)
    assert (cell["kind"], cell["scale"], cell["convention"]) == ("measured", "mini", "PCK@0.2 PC")
    assert (Path(cell["artifact"]).name, cell["key"]) == ("1.score.json", "pck.Avg")


def test_a_time_names_the_device_that_it_was_measured_on(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert "an abacus" in made[1].loc[("HG", "Time in secs."), "convention"]


def test_a_published_number_stands_beside_its_cell_and_no_other(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert made[1]["published"].dropna().to_dict() == {("HG-HCRN", "Avg"): 85.7}
