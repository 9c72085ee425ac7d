"""Arithmetic on printed numbers: each rule on a case worked out by hand, then the findings of our audit by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posetables.papers import flags
from posetables.papers.claims import Place
from posetables.papers.consistency import MPII, Finding, check
from posetables.papers.entries import Papers
from posetables.papers.flags import Report
from posetables.papers.published import Published
from posetables.papers.rounding import rounded
from posetables.params import Recipes
from posetables.recipe import Table

RECIPES = Recipes(Path(__file__).parents[2] / "params")
JOINTS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
STICKS = ("Torso", "Upper leg", "Lower leg", "Upper arm", "Forearm", "Head")


def a_table(
    name: str, metric: str, columns: tuple[str, ...], total: dict[str, str] | None, rows: dict[str, str]
) -> tuple[Table, dict[Place, Published]]:
    """A table with the columns of one metric, and its rows as printed, digits between spaces."""
    table = Table.model_validate(
        {"name": name, "paper": "p", "title": "T", "row_header": "M", "convention": "C", "total": total}
        | {"columns": {column: {"read": "score", "key": [metric, column]} for column in columns}}
        | {"rows": dict.fromkeys(rows)}
    )
    split = "val" if name.endswith("val") else "test"
    numbers = {
        Place(name, row, column): Published(name, row, column, digits, "own", "LSP", split, metric, "", "")
        for row, text in rows.items()
        for column, digits in zip(columns, text.split(), strict=True)
    }
    return table, numbers


def found(rule: str, *tables: tuple[Table, dict[Place, Published]], methods: Any = None) -> tuple[Finding, ...]:
    numbers = {place: number for _, each in tables for place, number in each.items()}
    return check(Papers(numbers, {table.name: table for table, _ in tables}, methods or {}, {}))[rule].findings


# Totals


def rows_that_fail(rule: str, columns: tuple[str, ...], rows: dict[str, str]) -> list[str]:
    total = {"column": "Total", "rule": rule}
    return [each.places[0].row for each in found("total", a_table("t", "m", (*columns, "Total"), total, rows))]


def test_a_mean_may_be_off_by_what_rounding_of_its_columns_allows() -> None:
    rows = {
        "exact": "91.8 78.2 71.8 65.5 73.3 70.2 63.4 73.5",  # 73.457
        "cut": "91.8 78.2 71.8 65.5 73.3 70.2 63.4 73.4",  # as HCRN Table V has it
        "beyond": "91.8 78.2 71.8 65.5 73.3 70.2 63.4 73.3",
    }
    assert rows_that_fail("mean", JOINTS, rows) == ["beyond"]


def test_at_the_very_limit_a_mean_does_not_fit() -> None:
    # PHR Table 7: 634.2 / 7 is 90.6; for 90.7 every column must have lost its full .05.
    assert rows_that_fail("mean", JOINTS, {"Res": "96.3 92.2 88.2 85.2 92.2 91.5 88.6 90.7"}) == ["Res"]


def test_a_total_of_sticks_counts_limbs_twice() -> None:
    rows = {
        "Res101-HCRN": "96.8 86.5 80.7 78.8 67.8 93.7 81.8",  # HCRN Table VII: 81.81
        "CPM-HCRN": "97.3 86.2 81.8 78.1 67.1 94.4 81.7",  # 81.81, off by .11 of .10
    }
    assert rows_that_fail("sticks", STICKS, rows) == ["CPM-HCRN"]


def test_a_total_of_mpii_is_weighted_by_its_joints() -> None:
    rows = {
        "Newell": "98.2 96.3 91.2 87.1 90.1 87.4 83.6 90.9",
        "plain mean": "98.2 96.3 91.2 87.1 90.1 87.4 83.6 90.6",
    }
    assert rows_that_fail("mpii", JOINTS, rows) == ["plain mean"]
    assert sum(MPII.values()) == 10_000


def test_a_column_with_two_decimals_allows_less() -> None:
    number = Published("t", "A", "Knee", "74.25", "own", "MPII", "test", "PCKh@0.5", "", "")
    assert rounded(number).slack * 200 == 1  # .005
    assert not rounded(number).meets(rounded(replace(number, printed="74.5")))
    assert rounded(number).meets(rounded(replace(number, printed="74.3")))


# Methods


def test_one_method_with_two_numbers_is_found() -> None:
    one = a_table("t1", "pck", ("Elbow", "Wrist"), None, {"CPM [12]": "97.6 95.0"})
    two = a_table("t2", "pck", ("Elbow", "Wrist"), None, {"Wei": "97.8 95.0"})
    same = {"CPM": {"t1": "CPM [12]", "t2": "Wei"}}
    (finding,) = found("method", one, two, methods=same)
    assert finding.places == (Place("t1", "CPM [12]", "Elbow"), Place("t2", "Wei", "Elbow"))
    assert found("method", one, two) == ()  # nobody says that it is one method


def test_a_number_that_is_printed_in_parts_is_compared() -> None:
    one = a_table("t1", "pck", ("Avg",), None, {"full": "87.2", "gain": "1.2"})
    two = a_table("t2", "pck", ("Avg",), None, {"baseline": "87.1"})
    same = {"baseline": {"t1": {"full": 1, "gain": -1}, "t2": "baseline"}}
    (finding,) = found("method", one, two, methods=same)
    assert len(finding.places) == 3


def test_columns_that_differ_in_the_way_of_testing_may_differ_in_their_numbers() -> None:
    # Graph-PCNN Tables 1 and 3: AP of both stages of a network, and of the second again.
    table, numbers = a_table("t1", "oks", ("AP", "stage1"), None, {"A": "64.6 61.1"})
    first = table.columns["AP"].model_copy(update={"protocol": "quarter"})
    stages = table.model_copy(update={"columns": {**table.columns, "stage1": first}})
    same = {"A": {"t1": "A", "t2": "B"}}
    assert found("method", (stages, numbers), a_table("t2", "oks", ("AP",), None, {"B": "64.6"}), methods=same) == ()
    (finding,) = found("method", (stages, numbers), a_table("t2", "oks", ("AP",), None, {"B": "61.1"}), methods=same)
    assert {place.column for place in finding.places} == {"AP"}


def test_a_row_with_the_digits_of_another_split_is_found() -> None:
    test = a_table("p_test", "pck", JOINTS, None, {"A": "97.9 95.1 89.9 85.3 89.4 85.7 81.9"})
    val = a_table("p_val", "pck", JOINTS, None, {"A": "97.3 95.2 89.9 85.3 89.4 84.7 80.9"})
    (finding,) = found("copied", test, val, methods={"A": {"p_test": "A", "p_val": "A"}})
    assert {place.column for place in finding.places} == {"Elbow", "Wrist", "Hip"}


def test_two_methods_with_the_same_digits_are_found() -> None:
    one = a_table("t1", "pck", ("Elbow", "Wrist"), None, {"A": "99.2 97.3", "B": "99.2 97.0"})
    two = a_table("t2", "pck", ("Elbow", "Wrist"), None, {"C": "99.2 97.3"})
    (finding,) = found("identical", one, two)
    assert {place.row for place in finding.places} == {"A", "C"}
    assert found("identical", one, two, methods={"A": {"t1": "A", "t2": "C"}}) == ()


def test_methods_that_change_places_between_splits_are_found() -> None:
    methods = {"A": {"t_test": "A", "t_val": "A"}, "B": {"t_test": "B", "t_val": "B"}}
    test = a_table("t_test", "pck", ("Avg",), None, {"A": "91.5", "B": "92.1"})
    val = a_table("t_val", "pck", ("Avg",), None, {"A": "89.4", "B": "88.4"})
    tied = a_table("t_val", "pck", ("Avg",), None, {"A": "88.4", "B": "88.4"})
    assert len(found("reversed", test, val, methods=methods)) == 1
    assert found("reversed", test, tied, methods=methods) == ()


# The papers


def report(papers: Papers) -> Report:
    return flags.compare(papers, check(papers), RECIPES.findings)


@pytest.fixture(scope="module")
def papers() -> Papers:
    claims = {f"{paper}/{name}": each for paper in RECIPES.papers for name, each in RECIPES.claims(paper).items()}
    tables = {name: RECIPES.table(name) for name in RECIPES.tables}
    return Papers(RECIPES.numbers, tables, RECIPES.methods, claims)


@pytest.fixture(scope="module")
def checked(papers: Papers) -> Report:
    return report(papers)


def test_arithmetic_finds_the_findings_of_the_audit_and_no_other(checked: Report) -> None:
    # From our audit of the five papers, made by hand and by another program.
    names = "A2 A4 A5 A6 A8 A9 A11 B1 B2 B3 B4 B5 B6 B7 B8 B9 B11 B12 B13"
    names += " C1 C2 C4 C5 C6 C9 C10 C11 C12 C13 C16 C17 C19 C23"
    assert sorted({name for each in checked.found for name in each.findings}) == sorted(names.split())
    assert checked.drift == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [("B1", 5), ("B2", 1), ("B3", 8), ("B4", 7), ("B5", 1), ("B6", 8), ("B7", 1), ("B8", 1), ("B9", 1)],
)
def test_methods_are_cited_differently_as_often_as_the_audit_counts(checked: Report, name: str, cells: int) -> None:
    assert sum(name in each.findings for each in checked.found) == cells


def test_rows_that_the_audit_finds_well_are_well(papers: Papers) -> None:
    wrong = {(each.places[0].item, each.places[0].row) for each in check(papers)["total"].findings}
    assert {item for item, _ in wrong} == {"hcrn_table7", "phr_table5", "phr_table7"}
    assert wrong & {("phr_table7", "Part heatmap regression (VGG)"), ("hcrn_table7", "Res101-HCRN")} == set()


def with_flag(papers: Papers, place: Place, flag: str) -> Papers:
    return replace(papers, numbers={**papers.numbers, place: replace(papers.numbers[place], flag=flag)})


TOTAL = Place("hcrn_table7", "HG-HCRN", "Total")


@pytest.mark.parametrize(
    ("place", "flag", "told"),
    [
        (TOTAL, "", "columns give 82.70: rounding explains less than 0.1: not flagged"),
        (
            Place("hcrn_table7", "HG-HCRN", "Head"),
            "audit A8: too much",
            "flagged A8, which the rule 'total' does not find",
        ),
        (TOTAL, "audit A99: who knows", "A99 is neither decided nor undecided"),
        (TOTAL, "wrong", "flag 'wrong' names no finding"),
    ],
)
def test_flags_that_drift_from_arithmetic_are_told(papers: Papers, place: Place, flag: str, told: str) -> None:
    assert any(told in line for line in report(with_flag(papers, place, flag)).drift)


def test_a_corrected_digit_is_told_as_a_flag_too_many(papers: Papers) -> None:
    numbers = {**papers.numbers, TOTAL: replace(papers.numbers[TOTAL], printed="82.7")}
    assert any(str(TOTAL) in line and "A8" in line for line in report(replace(papers, numbers=numbers)).drift)
