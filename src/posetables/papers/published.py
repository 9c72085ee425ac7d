"""What a paper prints: one line of `published.csv` for every number of its tables and text.

A published number is what our own are compared with. Nothing here is a result of this project, whatever its kind.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, fields
from pathlib import Path

from posetables.errors import InputError

NUMBER = re.compile(r"\d+(,\d{3})*(\.\d+)?|\.\d+")


@dataclass(frozen=True)
class Published:
    """One printed number and where it stands."""

    item: str
    """Table, figure or section, e.g. `hcrn_table1`."""
    row: str
    column: str
    printed: str
    """The digits as printed, so that rounding can be judged: "6,563,712", "0.220"."""
    kind: str
    """`own`: the paper claims it as its own result; `cited`: it quotes another work."""
    dataset: str
    split: str
    metric: str
    """With its setting, e.g. "PCK@0.2 PC"."""
    source: str
    """The work quoted; empty for most of the paper's own numbers."""
    flag: str
    """What our audit of the papers found about this number; mostly empty."""

    @property
    def value(self) -> float:
        return float(self.printed.replace(",", ""))


COLUMNS = tuple(field.name for field in fields(Published))


def read(path: Path) -> tuple[Published, ...]:
    """Every number of one paper, in the order of the file.

    Raises:
        InputError: the file is missing, is not such a CSV, or holds a line that is incomplete, wrong or there twice.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *lines = csv.reader(file, strict=True)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; restore it with: git checkout -- {path}") from None
    except ValueError:
        raise InputError(f"{path}: empty or not UTF-8; it needs the header {','.join(COLUMNS)}") from None
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file ({error}); quote every field that holds a comma or a quote") from None
    if tuple(header) != COLUMNS:
        raise InputError(f"{path}: header is {','.join(header)!r}; it must be {','.join(COLUMNS)}")
    numbers: dict[tuple[str, str, str], Published] = {}
    for place, line in enumerate(lines, start=2):
        number = _number(line, f"{path}: record {place}")
        cell = (number.item, number.row, number.column)
        if cell in numbers:
            raise InputError(f"{path}: record {place}: {' / '.join(cell)!r} is there already; keep one of the two")
        numbers[cell] = number
    return tuple(numbers.values())


def _number(line: list[str], where: str) -> Published:
    if len(line) != len(COLUMNS):
        raise InputError(f"{where}: {len(line)} fields; it must have the {len(COLUMNS)} of the header")
    number = Published(*line)
    for key in ("item", "row", "column", "dataset", "split", "metric"):
        if not getattr(number, key).strip():
            raise InputError(f"{where}: {key} is empty; fill it in as the paper prints it, or write none")
    if not NUMBER.fullmatch(number.printed):
        raise InputError(f"{where}: printed is {number.printed!r}; write the digits alone, as the paper prints them")
    if number.kind not in ("own", "cited"):
        raise InputError(f"{where}: kind is {number.kind!r}; write own or cited")
    if number.kind == "cited" and not number.source:
        raise InputError(f"{where}: source is empty; name the work that this cited number is taken from")
    return number
