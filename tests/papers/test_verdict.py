"""Verdicts: what our number says about the printed one, and when it can say nothing."""

from __future__ import annotations

import pytest

from posetables.papers.verdict import verdict


@pytest.mark.parametrize(
    ("value", "told"),
    [(85.7, "reproduced"), (84.7, "reproduced"), (86.7, "reproduced"), (86.71, "differs"), (80.0, "differs")],
)
def test_a_number_within_the_tolerance_reproduces_the_printed_one(value: float, told: str) -> None:
    assert verdict("measured", value, 85.7, 1.0)[0] == told


def test_a_count_that_is_one_off_differs() -> None:
    assert verdict("measured", 91, 98, 0)[0] == "differs"
    assert verdict("measured", 98, 98, 0)[0] == "reproduced"


def test_the_first_obstacle_is_the_reason_and_the_value_does_not_matter() -> None:
    told = verdict("measured", 85.7, 85.7, 1.0, None, "MPII validation instead", "lite scale")
    assert told == ("not comparable", "MPII validation instead")


def test_without_a_tolerance_nothing_is_reproduced() -> None:
    assert verdict("measured", 85.7, 85.7, None)[0] == "not comparable"


def test_a_number_of_the_paper_that_we_lack_is_missing() -> None:
    assert verdict("missing", None, 85.7, None)[0] == "missing"


@pytest.mark.parametrize(("kind", "printed"), [("cited", 85.7), ("measured", None)])
def test_a_cited_number_and_one_that_the_paper_lacks_are_not_judged(kind: str, printed: float | None) -> None:
    assert verdict(kind, 85.7, printed, 1.0) == ("", "")  # type: ignore[arg-type]
