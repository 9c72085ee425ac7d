"""What must hold of the labels of each data set, besides their form: what a reader takes for granted.

Flags that mean the opposite, boxes that were adjusted before, sides that were exchanged: none of these raises an error
anywhere, all of them cost points. One module a reader, found by name, with one or both of

    native(folder: Path) -> Iterator[Check]             what the files tell before anything is made of them
    conventions(people: People) -> Iterator[Check]      what the people tell that the reader made of them

Each check tells a right file from a wrong one by a number in the middle between both, as measured on the real files.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    seen: str
    expected: str
    holds: bool | None
    """None: it is told, but nothing is asked of it here."""


def of(reader: str) -> ModuleType | None:
    """The conventions of what a reader reads, if there are any."""
    name = f"{__name__}.{reader}"
    return None if importlib.util.find_spec(name) is None else importlib.import_module(name)


def within(name: str, seen: float, low: float, high: float, expected: str) -> Check:
    """Whether a share lies in a range, ends included; shares are printed in per cent."""
    return Check(name, f"{100 * seen:.4g} %", expected, bool(low <= seen <= high))


def none_of(name: str, wrong: int, of: int, what: str) -> Check:
    """Whether nothing is wrong."""
    return Check(name, f"{wrong:,} of {of:,} {what}", "none", wrong == 0)
