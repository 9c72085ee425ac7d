"""The tables of all papers against what the papers print, and that no cited number can pass for one of ours."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import Table, is_released
from posetables.stages import cells
from posetables.stages.artifacts import Artifacts
from posetables.stages.cells import Cell
from posetables.stages.tabulate import OUTPUT, Sources, tabulate

if TYPE_CHECKING:
    from conftest import Project

PARAMS = Path(__file__).parents[2] / "params"
REAL = Recipes(PARAMS)
PRINTED = [name for name in REAL.tables if REAL.published(REAL.table(name))]
"""Tables of the papers. The others are our own: what a paper draws without digits, or people whom it does not have."""
QUOTING = [
    name for name in REAL.tables if any(cell.kind == "cited" for cell in REAL.published(REAL.table(name)).values())
]


def made_up(table: Table, sources: Sources, folder: Path) -> dict[str, dict[str, Path]]:
    """Files of all experiments of a table, which hold the number 1 wherever a column reads."""
    content: dict[str, Any] = {"device": "an abacus"}
    for column in table.columns.values():
        *path, last = column.key
        entry = content
        for key in path:
            entry = entry.setdefault(key, {})
        entry[last] = {"value": 1.0}
    file = folder / "made_up.json"
    file.write_text(json.dumps(content))
    return {source.input: dict.fromkeys(OUTPUT.values(), file) for read in sources.values() for source in read}


def render(recipes: Recipes, name: str, folder: Path) -> tuple[Cell, ...]:
    """The cells of a table as the stage writes them."""
    table = recipes.table(name)
    outputs = {key: folder / f"{key}.out" for key in ("table", "cells", "metrics")}
    sources, tolerances = Artifacts(recipes, "paper").sources(table), recipes.tolerances(table)
    inputs = made_up(table, sources, folder)
    tabulate(table, "paper", sources, recipes.published(table), tolerances, inputs, outputs)
    return cells.read(outputs["cells"])


def test_every_item_that_a_paper_prints_has_a_table() -> None:
    assert set(PRINTED) == {cell.item for paper in REAL.papers for cell in REAL.printed(paper)}


@pytest.mark.parametrize("name", sorted(set(REAL.tables) - set(PRINTED)))
def test_a_table_of_our_own_says_so_and_every_cell_is_a_number_of_ours_or_of_a_published_file(
    name: str, tmp_path: Path
) -> None:
    table = REAL.table(name)
    assert re.search("not in the paper|the paper draws", table.title)
    made = {(cell.row, cell.column): cell for cell in render(REAL, name, tmp_path)}
    expected = {}
    for row, entry in plain(table)["rows"].items():
        for column in entry["by_column"] if isinstance(entry, dict) and "by_column" in entry else table.columns:
            expected[row, column] = "rescored" if released(entry_of(entry, column)) else "measured"
    assert {place: cell.kind for place, cell in made.items() if cell.kind != "missing"} == expected
    assert {cell.published for cell in made.values()} == {""}
    assert len(made) == len(table.rows) * len(table.columns)


@pytest.mark.parametrize("name", PRINTED)
def test_a_table_has_the_rows_and_columns_of_the_paper_in_printed_order(name: str) -> None:
    table = REAL.table(name)
    printed = REAL.published(table)
    assert list(table.rows) == list(dict.fromkeys(row for row, _ in printed))
    assert list(table.columns) == list(dict.fromkeys(column for _, column in printed))


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_number_has_a_cell_and_every_cell_a_printed_number(name: str, tmp_path: Path) -> None:
    printed = REAL.published(REAL.table(name))
    made = render(REAL, name, tmp_path)
    assert {(cell.row, cell.column): (cell.published, cell.flag) for cell in made} == {
        place: (number.printed, number.flag) for place, number in printed.items()
    }


@pytest.mark.parametrize("name", PRINTED)
def test_a_number_is_cited_where_the_paper_cites_it_and_ours_only_where_an_experiment_or_a_file_stands(
    name: str, tmp_path: Path
) -> None:
    table = REAL.table(name)
    printed = REAL.published(table)
    for cell in render(REAL, name, tmp_path):
        sources = REAL.sources(table, cell.row, cell.column, "paper")
        own = "measured" if sources else "missing"
        expected = "cited" if printed[cell.row, cell.column].kind == "cited" else own
        rescored = bool(sources) and all(is_released(source.experiment) for source in sources)
        assert cell.kind == ("rescored" if rescored else expected)


@pytest.mark.parametrize("name", REAL.tables)
def test_every_metric_of_a_table_has_a_tolerance(name: str) -> None:
    table = REAL.table(name)
    assert {column.key[0] for column in table.columns.values()} == set(REAL.tolerances(table))


@pytest.mark.parametrize("name", REAL.tables)
def test_what_no_public_label_can_score_says_what_stands_in(name: str) -> None:
    table = REAL.table(name)
    splits = {("MPII", "test"): "MPII validation", ("COCO", "test-dev"): "COCO val2017"}
    for (row, _), number in REAL.published(table).items():
        assert table.stand_in(row) == splits.get((number.dataset, number.split)), row


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("closest competitor: MPII", "clsest competitor: MPII", "mca_sec7.1.proxy: no row 'Ours vs clsest competitor'"),
        ("{column: Mean,", "{column: Maen,", "mca_table1.total: no column 'Maen'; did you mean 'Mean'"),
    ],
)
def test_a_row_or_column_that_the_table_lacks_is_told(project: Project, old: str, new: str, told: str) -> None:
    project.replace("params/papers/mca/tables.yaml", old, new)
    with pytest.raises(InputError, match=told):
        [Recipes().table(name) for name in ("mca_table1", "mca_sec7.1")]


# Whatever stands in tables.yaml, a cited number is never one of ours.


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the params, for the tables to be rewritten."""
    root = tmp_path_factory.mktemp("scratch")
    shutil.copytree(PARAMS, root / "params")
    return root


def released(entry: Any) -> bool:
    return isinstance(entry, str) and is_released(entry)


def entry_of(row: Any, column: str) -> Any:
    """What a row of tables.yaml says of one of its columns."""
    return row["by_column"].get(column) if isinstance(row, dict) and "by_column" in row else row


experiments = st.sampled_from(REAL.experiments)
entries = st.one_of(
    st.none(), experiments, st.dictionaries(experiments, st.floats(-2, 2).filter(bool), min_size=1, max_size=2)
)


@st.composite
def rewritten(draw: st.DrawFn) -> tuple[str, Mapping[str, Any]]:
    """A table that quotes others, and what a careless hand makes of one or two of its rows."""
    name = draw(st.sampled_from(QUOTING))
    rows = plain(REAL.table(name))["rows"]
    columns = st.sampled_from(list(REAL.table(name).columns))
    mixed = st.dictionaries(columns, entries, min_size=1).map(lambda by_column: {"by_column": by_column})
    return name, rows | draw(
        st.dictionaries(st.sampled_from(list(rows)), st.one_of(entries, mixed), min_size=1, max_size=2)
    )


def plain(table: Table) -> dict[str, Any]:
    """As it stands in tables.yaml."""
    return table.model_dump(mode="json", exclude={"name", "paper"})


@settings(max_examples=60, deadline=None)
@given(rewritten())
def test_no_table_makes_a_cited_number_one_of_ours(scratch: Path, table: tuple[str, Mapping[str, Any]]) -> None:
    name, rows = table
    file = scratch / "params/papers" / REAL.table(name).paper / "tables.yaml"
    # Not every experiment is tested in every way that a row asks for.
    content = plain(REAL.table(name)) | {"rows": rows, "protocol": None}
    file.write_text(yaml.safe_dump({name: content}, sort_keys=False))
    printed = REAL.published(REAL.table(name))
    cited = [entry_of(rows[row], column) for (row, column), number in printed.items() if number.kind == "cited"]
    recipes = Recipes(scratch / "params")
    if any(entry is not None and not released(entry) for entry in cited):
        with pytest.raises(InputError, match="what is cited has no experiment"):
            recipes.table(name)
    else:
        for cell in render(recipes, name, scratch):
            theirs = printed[cell.row, cell.column].kind == "cited"
            assert cell.kind != "measured" or not theirs
            assert (cell.kind == "rescored") == released(entry_of(rows[cell.row], cell.column))


@given(st.sampled_from(["measured", "rescored", "cited", "missing"]), st.sampled_from(["", "a.json"]))
def test_a_cell_says_it_is_ours_exactly_if_it_names_the_file_that_it_was_read_from(kind: str, file: str) -> None:
    fields: dict[str, Any] = dict.fromkeys(Cell.model_fields, "") | {
        "value": 1.0, "low": None, "high": None, "tolerance": None, "kind": kind, "artifact": file, "key": file,
    }  # fmt: skip
    if (kind in ("measured", "rescored")) == bool(file):
        assert Cell(**fields).kind == kind
    else:
        with pytest.raises(ValidationError, match="read from"):
            Cell(**fields)
