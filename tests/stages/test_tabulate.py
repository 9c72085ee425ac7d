"""Tables: rows, columns and rounding of the paper, every cell with the file and key that it was read from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from posetables.papers.published import Published
from posetables.recipe import ByColumn, Column, Row, Source, Table, Tolerance
from posetables.stages import cells
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


def printed(row: str, column: str, digits: str, kind: str = "own", flag: str = "") -> Published:
    return Published("hcrn_table0", row, column, digits, kind, "LSP", "test", "PCK@0.2 PC", "[1] A. Body", flag)


HG_HCRN = (printed("HG-HCRN", "Avg", "85.7"), printed("HG-HCRN", "Time in secs.", "0.202"))
"""What the paper prints of the first row; the second it lacks."""


def sources_of(table: Table) -> dict[tuple[str, str], list[Source]]:
    return {
        (row, name): [
            Source(
                read=column.read, experiment=experiment, protocol="pyramid3", skeleton="lsp", key=column.key,
                factor=factor,
            )
            for experiment, factor in terms.items()
        ]
        for row in table.rows
        for name, column in table.columns.items()
        if (terms := table.terms(row, name))
    }  # fmt: skip


def make(folder: Path, table: Table, *numbers: Published, scale: str = "mini") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table, and the cells, as text. Our average is 85.66 in the first row and a point more in every other."""
    sources = sources_of(table)
    inputs = {}
    for i, experiment in enumerate(dict.fromkeys(each.experiment for read in sources.values() for each in read)):
        score, cost = folder / f"{i}.score.json", folder / f"{i}.cost.json"
        score.write_text(json.dumps({"pck": {"Avg": {"value": 85.66 + i, "low": 80.0, "high": 90.0}}}))
        cost.write_text(
            json.dumps(
                {
                    "seconds": {"value": 0.20199, "low": 0.2, "high": 0.21},
                    "parameters": {"value": 6563712 * (i + 1)},
                    "device": "an abacus",
                }
            )
        )
        inputs |= {f"score:{experiment}/pyramid3": {"scores": score}, f"cost:{experiment}": {"cost": cost}}
    outputs = {name: folder / f"{name}.out" for name in ("table", "cells", "metrics")}
    tolerances = {"pck": Tolerance(absolute=1.0, why="a test")}
    published = {(each.row, each.column): each for each in numbers}
    tabulate(table, scale, sources, published, tolerances, inputs, outputs)
    return (
        pd.read_csv(outputs["table"], dtype=str, keep_default_na=False),
        pd.read_csv(outputs["cells"]).set_index(["row", "column"]),
    )


@pytest.fixture
def made(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    return make(tmp_path, TABLE, *HG_HCRN)


def with_rows(rows: Mapping[str, Row], **columns: Column) -> Table:
    return TABLE.model_copy(update={"rows": rows} | ({"columns": columns} if columns else {}))


def test_the_table_is_rounded_as_the_paper_rounds(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert made[0].values.tolist() == [
        ["HG-HCRN", "85.7", "0.202", "measured", "hcrn/lsp-pc/hg-hcrn", ""],
        ["HG", "86.7", "0.202", "measured", "hcrn/lsp-pc/hg", ""],
    ]
    assert list(made[0].columns) == ["Methods", "Avg", "Time in secs.", "kind", "source", "flags"]


def test_a_cell_keeps_its_full_value_and_where_it_comes_from(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cell = made[1].loc[("HG", "Avg")]
    assert (cell["value"], cell["low"], cell["high"]) == (86.66, 80.0, 90.0)
    assert (cell["kind"], cell["scale"], cell["convention"]) == ("measured", "mini", "PCK@0.2 PC")
    assert (Path(cell["artifact"]).name, cell["key"]) == ("1.score.json", "pck.Avg")


def test_a_time_names_the_device_that_it_was_measured_on(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert "an abacus" in made[1].loc[("HG", "Time in secs."), "convention"]


def test_a_published_number_stands_beside_its_cell_and_no_other(made: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    assert made[1]["published"].dropna().to_dict() == {("HG-HCRN", "Avg"): 85.7, ("HG-HCRN", "Time in secs."): 0.202}


def test_what_the_paper_leaves_empty_stays_empty(tmp_path: Path) -> None:
    table, cells = make(tmp_path, TABLE, HG_HCRN[0], printed("HG", "Time in secs.", "0.196"))
    assert table[["Avg", "Time in secs."]].values.tolist() == [["85.7", ""], ["", "0.202"]]
    assert list(cells.index) == [("HG-HCRN", "Avg"), ("HG", "Time in secs.")]


def test_a_cited_number_is_copied_to_the_digit_and_judged_by_nobody(tmp_path: Path) -> None:
    table, cells = make(tmp_path, with_rows({"Body [1]": None}), printed("Body [1]", "Avg", "84.10", "cited"))
    assert table.values.tolist() == [["Body [1]", "84.10", "", "cited", "[1] A. Body", ""]]
    assert cells.loc[("Body [1]", "Avg"), ["verdict", "artifact", "proxy"]].isna().all()


def test_a_number_of_the_paper_that_nothing_of_ours_answers_reads_missing(tmp_path: Path) -> None:
    table, cells = make(tmp_path, with_rows({"HG": None}), printed("HG", "Avg", "85.4"))
    assert table["Avg"].tolist() == ["missing"]
    assert cells.loc[("HG", "Avg"), ["kind", "verdict", "published"]].tolist() == ["missing", "missing", 85.4]


def test_a_difference_is_read_from_both_files_and_printed_like_the_papers_count(tmp_path: Path) -> None:
    rows = {"One stage": {"hcrn/lsp-pc/cpm-2-stage": 1.0, "hcrn/lsp-pc/cpm-3-stage": -3.0}}
    table, cells = make(tmp_path, with_rows(rows, ParamNum=Column(read="cost", key=("parameters",), decimals=0)))
    assert table["ParamNum"].tolist() == ["-32,818,560"]
    cell = cells.loc[("One stage", "ParamNum")]
    assert (cell["value"], len(cell["artifact"].split())) == (-5 * 6563712, 2)


def test_a_difference_is_the_same_in_whatever_order_it_is_written(tmp_path: Path) -> None:
    terms = {"hcrn/lsp-pc/hg": -1.0, "hcrn/lsp-pc/cpm-2-stage": 1.0, "hcrn/lsp-pc/cpm-1-stage": 0.1}
    rows: list[dict[str, Row]] = [{"Sum": terms}, {"Sum": dict(reversed(terms.items()))}]
    tables = [make(tmp_path, with_rows(each))[0] for each in rows]
    assert tables[0].values.tolist() == tables[1].values.tolist()


def test_a_row_may_have_a_number_of_ours_beside_a_cited_one(tmp_path: Path) -> None:
    rows = {"Body [1]": ByColumn(by_column={"Time in secs.": "hcrn/lsp-pc/hg"})}
    numbers = printed("Body [1]", "Avg", "84.1", "cited"), printed("Body [1]", "Time in secs.", "0.3")
    table, cells = make(tmp_path, with_rows(rows), *numbers)
    assert table[["Avg", "Time in secs."]].values.tolist() == [["84.1", "0.202"]]
    assert cells["kind"].tolist() == ["cited", "measured"]


def test_a_rate_that_the_paper_prints_as_a_fraction_is_ours_in_its_unit(tmp_path: Path) -> None:
    column = Column(read="score", key=("pck", "Avg"), decimals=3, unit=0.01)
    table, cells = make(tmp_path, with_rows({"HG": "hcrn/lsp-pc/hg"}, Avg=column), printed("HG", "Avg", ".855"))
    assert table["Avg"].tolist() == ["0.857"]
    assert cells.loc[("HG", "Avg"), ["value", "low", "high", "tolerance"]].tolist() == pytest.approx(
        [0.8566, 0.80, 0.90, 0.01]
    )


def test_a_finding_on_several_columns_is_told_once(tmp_path: Path) -> None:
    both, one = "audit G: a smudge", "audit B1: elsewhere 85.6"
    numbers = (printed("HG", "Avg", "85.7", flag=f"{both}; {one}"), printed("HG", "Time in secs.", "0.2", flag=both))
    table, _ = make(tmp_path, with_rows({"HG": None}), *numbers)
    assert table["flags"].tolist() == [f"{both}; Avg: {one}"]


def test_a_stand_in_of_one_row_is_no_obstacle_to_another(tmp_path: Path) -> None:
    table = TABLE.model_copy(update={"proxy": {"HG": "a smaller split"}})
    _, cells = make(tmp_path, table, HG_HCRN[0], printed("HG", "Avg", "86.0"), scale="paper")
    assert cells["verdict"].tolist() == ["reproduced", "not comparable"]
    assert cells["proxy"].fillna("").tolist() == ["", "a smaller split"]


def test_cells_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    make(tmp_path, TABLE, *HG_HCRN)
    first, *_ = cells.read(tmp_path / "cells.out")
    assert (first.row, first.value, first.published, first.tolerance) == ("HG-HCRN", 85.66, "85.7", 1.0)
