"""What printed digits say exactly, and what rounding has taken from them.

Everything is a fraction: whether a total fits its columns, or a tie is a gain, must not fall to binary rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posetables.papers.published import Published


@dataclass(frozen=True)
class Rounded:
    """A number that was rounded: before, it lay less than `slack` from `value`."""

    value: Fraction
    slack: Fraction

    def meets(self, other: Rounded) -> bool:
        """Whether the two may have been one number before they were rounded.

        At the very limit they may not: it asks that every digit was rounded by its full half unit at once.
        """
        return self.value == other.value or abs(self.value - other.value) < self.slack + other.slack


def total(terms: Sequence[Rounded], factors: Sequence[Fraction]) -> Rounded:
    """The sum of terms, each times its factor; the errors of rounding may all point one way."""
    return Rounded(
        sum((term.value * factor for term, factor in zip(terms, factors, strict=True)), Fraction(0)),
        sum((term.slack * abs(factor) for term, factor in zip(terms, factors, strict=True)), Fraction(0)),
    )


def rounded(number: Published) -> Rounded:
    """A printed number, rates in per cent: HCRN's Table X prints AP as a fraction of one, where others print per cent.

    A half unit of the last printed digit may be missing.
    """
    digits = number.printed.replace(",", "")
    unit = Fraction(1, 10 ** len(digits.partition(".")[2]))
    value = Fraction(digits)
    scale = 100 if number.metric == "AP" and value < 1 else 1
    return Rounded(value * scale, unit * scale / 2)
