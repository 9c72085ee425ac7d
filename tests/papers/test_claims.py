"""Claims: what printed digits and intervals say of them, and that none rests on a cell that is not there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from posetables.errors import InputError
from posetables.papers.claims import Part, Place, judge, judge_all, parts, read
from posetables.papers.published import Published
from posetables.params import Recipes
from posetables.recipe import Claim, Comparison, Table

PARAMS = Path(__file__).parents[2] / "params"
A, B = Place("t", "A", "Avg"), Place("t", "B", "Avg")


def number(place: Place, printed: str, metric: str = "PCK@0.2 PC") -> Published:
    return Published(*place, printed, "own", "LSP", "test", metric, "", "")


def a_part(low: float, high: float, quantity: Any = "difference") -> Part:
    return Part("claim", A, B, quantity, low, high)


def word(part: Part, left: str, right: str) -> str:
    return read(part, {A: number(A, left), B: number(B, right)}).word


MORE = a_part(0, float("inf"))


# What the digits of a paper say


def test_more_than_asks_for_more() -> None:
    assert word(MORE, "96.4", "96.3") == "holds"
    assert word(MORE, "96.2", "96.3") == "does not hold"


def test_a_tie_is_not_more_but_rounding_may_be_why() -> None:
    reading = read(MORE, {A: number(A, "96.3"), B: number(B, "96.3")})
    assert (reading.word, reading.effect, reading.excused) == ("does not hold", 0.0, True)


def test_less_by_a_whole_digit_is_not_for_rounding() -> None:
    assert not read(MORE, {A: number(A, "96.2"), B: number(B, "96.3")}).excused


def test_borders_are_decimal() -> None:
    # In binary, 1.1 - 1.0 is more than 0.1, and 0.3 - 0.2 less.
    assert word(a_part(0.1, 1), "1.1", "1.0") == "does not hold"
    assert word(a_part(0, 0.1), "0.3", "0.2") == "does not hold"


def test_a_ratio_is_of_the_printed_digits() -> None:
    half = a_part(0.4, 0.6, "ratio")  # HCRN, section IV-A: 0.067 s is not half of 0.103 s
    assert word(half, "0.067", "0.103") == "does not hold"
    assert word(half, "0.052", "0.103") == "holds"


def test_a_fraction_is_compared_as_per_cent() -> None:
    # HCRN Table X prints 0.630 where Graph-PCNN's Table 5 prints 63.1.
    numbers = {A: number(A, "0.630", "AP"), B: number(B, "63.1", "AP")}
    assert read(MORE, numbers).effect == pytest.approx(-0.1)


def test_a_cell_that_is_not_printed_decides_nothing() -> None:
    assert read(MORE, {A: number(A, "96.3")}).word == "cannot be decided"


# What our intervals say


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 2.0, "supported"),
        (-2.0, -0.1, "contradicted"),
        (-1.0, 1.0, "undecided"),
        (0.0, 1.0, "undecided"),  # a tie is not more
        (-1.0, 0.0, "undecided"),  # nor less
        (0.0, 0.0, "undecided"),  # nobody tells the two apart
        (float("nan"), float("nan"), "undecided"),
    ],
)
def test_more_than_is_judged_by_the_whole_interval(low: float, high: float, verdict: str) -> None:
    assert judge(low, high, MORE) == verdict


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "contradicted", "missing"], "contradicted"),
        (["supported", "undecided"], "undecided"),
        (["supported", "missing"], "undecided"),
        (["supported", "not comparable"], "undecided"),
        (["missing", "not comparable"], "not comparable"),
        (["missing", "missing"], "missing"),
    ],
)
def test_a_claim_is_as_good_as_its_parts(verdicts: list[Any], verdict: str) -> None:
    assert judge_all(verdicts) == verdict


# Which cells a claim compares


def a_table() -> Table:
    column = {"read": "score", "key": ["pck", "Avg"]}
    content = {"name": "t", "paper": "p", "title": "T", "row_header": "M", "convention": "PCK"}
    return Table.model_validate(
        content | {"columns": {"Avg": column, "Head": column}, "rows": {"A": None, "B": None, "C": None}}
    )


def pairs(**comparison: Any) -> list[tuple[str, str, str]]:
    printed = [
        Place("t", row, column)
        for row, column in (("A", "Avg"), ("A", "Head"), ("B", "Avg"), ("B", "Head"), ("C", "Avg"))
    ]
    claim = Claim(says="", where="", holds=(Comparison.model_validate({"item": "t", "left": "A"} | comparison),))
    found = parts("claim", claim, {"t": a_table()}, {place: number(place, "1") for place in printed})
    return [(part.left.column, part.right.row, part.right.column) for part in found]


def test_others_are_the_rows_that_print_the_column() -> None:
    found = pairs(right="others", columns="all", difference=[0, None])
    assert found == [("Avg", "B", "Avg"), ("Avg", "C", "Avg"), ("Head", "B", "Head")]


def test_columns_may_have_another_name_on_the_right() -> None:
    assert pairs(right="B", columns={"Avg": "Head"}, difference=[0, None]) == [("Avg", "B", "Head")]


# Claims that lead nowhere


@pytest.fixture
def claims_of(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], None]], Any]:
    """What is read from HCRN's claims after an edit."""
    shutil.copytree(PARAMS, tmp_path / "params")
    file = tmp_path / "params/papers/hcrn/claims.yaml"

    def edited(change: Callable[[dict[str, Any]], None]) -> Any:
        content = yaml.safe_load(file.read_text())
        change(content["best-on-lsp-oc"])
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return Recipes(tmp_path / "params").claims("hcrn")

    return edited


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("item", "hcrn_tabel4", "item 'hcrn_tabel4'; did you mean 'hcrn_table4'?"),
        ("left", "Res101-HRCN", "row of hcrn_table4 'Res101-HRCN'; did you mean 'Res101-HCRN'?"),
        ("right", ["Yang et al. [92]"], "row of hcrn_table4 'Yang et al. [92]'; did you mean 'Yang et al. [29]'?"),
        ("right_item", "hcrn_table44", "item 'hcrn_table44'; did you mean 'hcrn_table4'?"),
        ("columns", ["Elbw."], "column of hcrn_table4 'Elbw.'; did you mean 'Elb.'?"),
        ("columns", {"Avg": "Agv"}, "column of hcrn_table4 'Agv'; did you mean 'Avg'?"),
        ("ratio", [0, 1], "give one of difference, ratio and stated"),
        ("diference", [0, 1], "unknown key; did you mean 'difference'?"),
    ],
)
def test_a_claim_about_a_cell_that_is_not_there_is_told(claims_of: Any, key: str, value: Any, told: str) -> None:
    with pytest.raises(InputError) as error:
        claims_of(lambda claim: claim["holds"][0].update({key: value}))
    assert "hcrn/claims.yaml: best-on-lsp-oc.holds.0" in str(error.value)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_claim_about_a_cell_that_is_not_printed_is_told() -> None:
    recipes = Recipes(PARAMS)
    with pytest.raises(InputError, match="SBN / 128x96 / stage2 AP: the paper prints nothing there"):
        recipes._check_cell("claims.yaml", "gpcnn_table1", "SBN / 128x96", "stage2 AP")


def test_an_unknown_paper_is_told() -> None:
    with pytest.raises(InputError, match="no paper 'hcnr'; did you mean 'hcrn'"):
        Recipes(PARAMS).claims("hcnr")


def test_every_paper_has_claims_and_all_of_their_cells_are_printed_or_of_a_table_of_our_own() -> None:
    recipes = Recipes(PARAMS)
    tables = {name: recipes.table(name) for name in recipes.tables}
    for paper in recipes.papers:
        claims = recipes.claims(paper)
        assert len(claims) > 4
        for name, claim in claims.items():
            found = parts(name, claim, tables, recipes.numbers)
            assert found
            places = {place for part in found for place in part.places}
            assert {place for place in places if recipes.published(tables[place.item])} <= recipes.numbers.keys(), name
