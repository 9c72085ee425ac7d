"""Claims: what a paper says of its numbers, one part for each pair of cells, and what numbers say of it.

The paper's own digits are read as they stand: a tie is not "more"; whether rounding alone may be the reason is said
beside it. Our numbers come as an effect with a 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, NamedTuple

from posetables.papers.rounding import rounded

if TYPE_CHECKING:
    from posetables.papers.published import Published
    from posetables.recipe import Claim, Comparison, Source, Table

Verdict = Literal["supported", "contradicted", "undecided", "not comparable", "missing"]
Word = Literal["holds", "does not hold", "cannot be decided"]


class Place(NamedTuple):
    """Where a number is printed."""

    item: str
    row: str
    column: str

    def __str__(self) -> str:
        return " / ".join(self)


@dataclass(frozen=True)
class Part:
    """One comparison of a claim in one column: `low < left - right < high`, or `left / right`."""

    claim: str
    left: Place
    right: Place
    quantity: Literal["difference", "ratio"]
    low: float
    high: float
    stated: Place | None = None
    """The cell in which the paper prints the difference."""

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(filter(None, (self.left, self.right, self.stated)))


@dataclass(frozen=True)
class Known:
    """What is known of a cell that a claim rests on."""

    printed: Published | None
    sources: Sequence[Source]
    """Where our number is read from; none for a row that is cited, or that has no experiment yet."""
    proxy: str | None
    """The split that our number is scored on, if not the paper's."""

    @property
    def is_cited(self) -> bool:
        return self.printed is not None and self.printed.kind == "cited"


@dataclass(frozen=True)
class Reading:
    """What the printed digits say of one part, or of a claim."""

    word: Word
    effect: float | None = None
    excused: bool = False
    """Whether it does not hold, but may have done so before the numbers were rounded."""


def parts(name: str, claim: Claim, tables: Mapping[str, Table], numbers: Mapping[Place, Published]) -> tuple[Part, ...]:
    """Every pair of cells that a claim compares."""
    return tuple(part for each in claim.holds for part in _pairs(name, each, tables, numbers))


def _pairs(
    name: str, comparison: Comparison, tables: Mapping[str, Table], numbers: Mapping[Place, Published]
) -> list[Part]:
    item, other = comparison.item, comparison.right_item or comparison.item
    columns = comparison.columns
    if columns == "all":
        columns = tuple(column for column in tables[item].columns if Place(item, comparison.left, column) in numbers)
    pairs = columns if isinstance(columns, Mapping) else {column: column for column in columns}
    stated = Place(*comparison.stated) if comparison.stated else None
    low, high = _range(comparison, None if stated is None else numbers[stated])
    found = []
    for left, right in pairs.items():
        rows = comparison.right
        if rows == "others":
            rows = tuple(row for row in tables[other].rows if Place(other, row, right) in numbers)
        for row in (rows,) if isinstance(rows, str) else rows:
            if (other, row) != (item, comparison.left):
                quantity: Literal["difference", "ratio"] = "ratio" if comparison.ratio else "difference"
                places = Place(item, comparison.left, left), Place(other, row, right)
                found.append(Part(name, *places, quantity, low, high, stated))
    return found


def _range(comparison: Comparison, stated: Published | None) -> tuple[float, float]:
    if stated is not None:
        number = rounded(stated)
        return float(number.value - number.slack), float(number.value + number.slack)
    low, high = comparison.difference or comparison.ratio or (None, None)
    return (-math.inf if low is None else low), (math.inf if high is None else high)


# --- what the paper's own digits say ---------------------------------------------------------------------------------


def read(part: Part, numbers: Mapping[Place, Published]) -> Reading:
    """One part, by the digits of the paper."""
    if part.left not in numbers or part.right not in numbers:
        return Reading("cannot be decided")
    left, right = rounded(numbers[part.left]), rounded(numbers[part.right])
    if part.quantity == "difference":
        effect, slack = left.value - right.value, left.slack + right.slack
        least, most = effect - slack, effect + slack
    else:
        effect = left.value / right.value
        least = (left.value - left.slack) / (right.value + right.slack)
        most = (left.value + left.slack) / (right.value - right.slack)
    low, high = _exact(part.low), _exact(part.high)
    holds = _inside(effect, low, high)
    excused = not holds and (low is None or most > low) and (high is None or least < high)
    return Reading("holds" if holds else "does not hold", float(effect), excused)


def read_all(readings: Sequence[Reading]) -> Word:
    """A claim: it holds if all of its parts do."""
    words = [each.word for each in readings]
    if "does not hold" in words:
        return "does not hold"
    return "cannot be decided" if "cannot be decided" in words else "holds"


def _exact(bound: float) -> Fraction | None:
    """The decimal that was written, None for no bound."""
    return None if math.isinf(bound) else Fraction(str(bound))


def _inside(effect: Fraction, low: Fraction | None, high: Fraction | None) -> bool:
    return (low is None or effect > low) and (high is None or effect < high)


# --- what our numbers say --------------------------------------------------------------------------------------------


def judge(low: float, high: float, part: Part) -> Verdict:
    """An effect by its 95 % interval: supported all inside of the part's range, contradicted all outside of it.

    An interval that ends where the range begins decides nothing: so few people tell the two apart that a draw may hold
    none of them.
    """
    if part.low < low and high < part.high:
        return "supported"
    return "contradicted" if high < part.low or low > part.high else "undecided"


def judge_all(verdicts: Sequence[Verdict]) -> Verdict:
    """A claim: contradicted if any part is, supported if all are; not judged if no part is."""
    judged = {"supported", "contradicted", "undecided"} & set(verdicts)
    if not judged:
        return "not comparable" if "not comparable" in verdicts else "missing"
    if "contradicted" in judged:
        return "contradicted"
    return "supported" if set(verdicts) == {"supported"} else "undecided"
