"""The printed numbers of all papers, as arithmetic sees them: by row and by method, whatever a table calls a column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from posetables.papers.claims import Place
from posetables.papers.rounding import Rounded, rounded, total

if TYPE_CHECKING:
    from posetables.papers.published import Published
    from posetables.recipe import Claim, Column, Method, Table


@dataclass(frozen=True)
class Entry:
    """One number of a method: printed in one cell, or the sum of several."""

    places: tuple[Place, ...]
    text: str
    """As printed, or as worked out."""
    number: Rounded
    dataset: str
    split: str
    metric: str
    key: tuple[str, ...]
    """What its column holds: the key that our number would be read by, with the protocol if the column has its own."""

    def is_like(self, other: Entry) -> bool:
        """Whether both measure the same on one data set; a metric that is printed without its setting may be any."""
        alike = self.metric.startswith(other.metric) or other.metric.startswith(self.metric)
        return alike and (self.dataset, self.key) == (other.dataset, other.key)

    def __str__(self) -> str:
        rows = dict.fromkeys(f"{place.item}: {place.row}" for place in self.places)
        return f"{self.text} ({', '.join(rows)})"


Row = Mapping[tuple[str, ...], Entry]
"""Key -> number."""


@dataclass(frozen=True)
class Papers:
    """All that the papers print, and what our params say of it."""

    numbers: Mapping[Place, Published]
    tables: Mapping[str, Table]
    methods: Mapping[str, Method]
    claims: Mapping[str, Claim]
    """By `<paper>/<claim>`."""

    @cached_property
    def rows(self) -> Mapping[tuple[str, str], Sequence[Entry]]:
        """(item, row) -> its numbers, in the order of the columns."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for place, number in self.numbers.items():
            key = _held(self.tables[place.item].columns[place.column])
            entry = Entry((place,), number.printed, rounded(number), number.dataset, number.split, number.metric, key)
            found.setdefault((place.item, place.row), []).append(entry)
        return found

    @cached_property
    def of_methods(self) -> Mapping[str, Sequence[Entry]]:
        """Method -> its numbers in all tables. The rows of one experiment of ours are one method, too."""
        found = {
            name: [entry for item, rows in method.items() for entry in self._entries(item, rows)]
            for name, method in self.methods.items()
        }
        for table in self.tables.values():
            for row, experiment in table.rows.items():
                if isinstance(experiment, str) and not experiment.startswith("released/"):
                    found.setdefault(experiment, []).extend(self.rows.get((table.name, row), ()))
        return found

    def _entries(self, item: str, rows: str | Sequence[str] | Mapping[str, int]) -> Iterator[Entry]:
        if isinstance(rows, Mapping):
            signs = [Fraction(sign) for sign in rows.values()]
            for terms in zip(*(self.rows[item, row] for row in rows), strict=True):
                yield combined(terms, signs)
        else:
            for row in (rows,) if isinstance(rows, str) else rows:
                yield from self.rows[item, row]


def _held(column: Column) -> tuple[str, ...]:
    """One network has another number of the same metric in each way of testing that a table tells apart."""
    *path, last = column.key
    return (*path, last if column.protocol is None else f"{last} {column.protocol}")


def combined(terms: Sequence[Entry], factors: Sequence[Fraction]) -> Entry:
    """A sum that tables or the text imply; it measures what its first term does."""
    first = terms[0]
    number = total([term.number for term in terms], factors)
    places = tuple(place for term in terms for place in term.places)
    return Entry(places, f"{float(number.value):.4g}", number, first.dataset, first.split, first.metric, first.key)
