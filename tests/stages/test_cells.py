"""A cell cannot say that it is what it is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from posetables.stages.cells import Cell, footnotes


def a_cell(**changed: Any) -> Cell:
    content = dict.fromkeys(Cell.model_fields, "") | {"value": 85.0, "kind": "measured", "artifact": "a.json"}
    return Cell.model_validate(content | {"low": None, "high": None, "tolerance": None, "key": "pck.Avg"} | changed)


@pytest.mark.parametrize("changed", [{"artifact": ""}, {"key": ""}, {"kind": "cited"}, {"kind": "missing"}])
def test_what_is_measured_is_read_from_a_file_and_nothing_else_is(changed: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="read from"):
        a_cell(**changed)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="kind"):
        a_cell(kind="copied")


def test_a_finding_on_a_whole_row_names_the_row_alone() -> None:
    smudge, other = "audit G: a smudge", "audit B1: elsewhere 85.6"
    cells = [a_cell(row="HG", column="Head", flag=smudge), a_cell(row="HG", column="Avg", flag=f"{smudge}; {other}")]
    assert footnotes(cells) == [f"* HG: {smudge}", f"* HG / Avg: {other}"]
