"""Numbers of ours with what is known of their spread, and their sums, differences and ratios.

Scores of the same people move together when other people are drawn: they are combined draw by draw, so that what is
hard for both falls out of a difference. Everything else is combined as independent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from posetables.data import skeletons
from posetables.data.people import read_columns
from posetables.errors import InputError
from posetables.metrics import bootstrap
from posetables.papers.rounding import rounded
from posetables.stages.score import BOOTSTRAP_KEY
from posetables.stages.scoring import METRICS

if TYPE_CHECKING:
    from posetables.papers.published import Published
    from posetables.recipe import Source


@dataclass(frozen=True)
class Number:
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float
    draws: np.ndarray | None = None
    """Of a score: its value in each draw of the bootstrap, (D,)."""
    people: tuple[str, ...] = ()
    devices: frozenset[str] = frozenset()
    """That a time was measured on."""
    files: tuple[str, ...] = ()


def printed(number: Published) -> Number:
    """A cited number: exact, but for its rounding."""
    exact = rounded(number)
    return Number(float(exact.value), float(exact.value - exact.slack), float(exact.value + exact.slack))


def total(terms: Sequence[Number], factors: Sequence[float]) -> Number:
    """A sum of numbers, each times its factor: a difference has factors 1 and -1.

    Independent intervals are joined by their squares (MOVER; Zou & Donner, Statistics in Medicine 2008).

    Raises:
        InputError: two scores are not of the same people, in one order.
    """
    value = sum(factor * term.value for term, factor in zip(terms, factors, strict=True))
    draws = [term.draws for term in terms if term.draws is not None]
    if len(draws) == len(terms):
        _same_people(terms)
        summed = sum(factor * each for each, factor in zip(draws, factors, strict=True))
        return _of(terms, _drawn(value, summed, terms[0].people))
    ends = [
        sorted((factor * (term.low - term.value), factor * (term.high - term.value)))
        for term, factor in zip(terms, factors, strict=True)
    ]
    low, high = (math.hypot(*each) for each in zip(*ends, strict=True))
    return _of(terms, Number(value, value - low, value + high))


def ratio(left: Number, right: Number) -> Number:
    """left / right, NaN where it has no value. Independent intervals are joined as those of logarithms."""
    if left.draws is not None and right.draws is not None:
        _same_people((left, right))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(np.float64(left.value) / right.value)
            return _of((left, right), _drawn(value, left.draws / right.draws, left.people))
    if min(left.low, right.low) <= 0:
        return _of((left, right), Number(math.nan, math.nan, math.nan))
    logs = [Number(math.log(term.value), math.log(term.low), math.log(term.high)) for term in (left, right)]
    log = total(logs, (1, -1))
    return _of((left, right), Number(math.exp(log.value), math.exp(log.low), math.exp(log.high)))


def _same_people(terms: Sequence[Number]) -> None:
    first, *others = terms
    if wrong := next((term for term in others if term.people != first.people), None):
        raise InputError(f"{wrong.files[0]}: person: not the people of {first.files[0]}, in one order; score both anew")


def _drawn(value: float, draws: Any, people: tuple[str, ...]) -> Number:
    with np.errstate(invalid="ignore"):
        low, high = bootstrap.percentiles(draws[:, None])
    return Number(value, float(low[0]), float(high[0]), draws, people)


def _of(terms: Sequence[Number], number: Number) -> Number:
    return replace(
        number,
        devices=frozenset(device for term in terms for device in term.devices),
        files=tuple(dict.fromkeys(file for term in terms for file in term.files)),
    )


class Evidence:
    """Reads the numbers of a cell from the files of its experiments, each number once."""

    def __init__(self, inputs: Mapping[str, Mapping[str, Path]]) -> None:
        self.inputs = inputs
        self.numbers: dict[tuple[str, tuple[str, ...]], Number] = {}

    def __call__(self, sources: Sequence[Source]) -> Number:
        found = [self._number(source) for source in sources]
        return total(found, [source.factor for source in sources])

    def _number(self, source: Source) -> Number:
        known = (source.input, source.key)
        if known not in self.numbers:
            files = self.inputs[source.input]
            read = _score if source.read == "score" else _timed_or_counted
            self.numbers[known] = read(source, files)
        return self.numbers[known]


def _timed_or_counted(source: Source, files: Mapping[str, Path]) -> Number:
    """A count is exact; a time has the spread of single runs, which is more than that of their median."""
    path = files[source.read]
    content = json.loads(path.read_text())
    entry = content[source.key[0]]
    if "low" not in entry:
        return Number(entry["value"], entry["value"], entry["value"], files=(str(path),))
    devices = frozenset([content["device"]])
    return Number(entry["value"], entry["low"], entry["high"], devices=devices, files=(str(path),))


def _score(source: Source, files: Mapping[str, Path]) -> Number:
    name, column = source.key
    if name not in METRICS:
        return _average_precision(source, files)
    metric, path = METRICS[name], files["hits"]
    table = read_columns(path, "person", metric.hits)
    people, hits = tuple(table["person"].tolist()), table[metric.hits]
    groups = metric.groups(skeletons.named(source.skeleton))
    place = list(groups).index(column)
    values = metric.columns(hits, list(groups.values()), None)
    draws = metric.columns(hits, list(groups.values()), bootstrap.resamples(len(people), BOOTSTRAP_KEY))
    return replace(_drawn(float(values[place]), draws[:, place], people), files=(str(path),))


def _average_precision(source: Source, files: Mapping[str, Path]) -> Number:
    """Its draws are kept themselves, as AP is no sum over people."""
    metric, column = source.key
    table = read_columns(files["hits"], "over", f"{metric} {column}")
    value = float(json.loads(files["scores"].read_text())[metric][column]["value"])
    number = _drawn(value, table[f"{metric} {column}"], tuple(table["over"][:1].tolist()))
    return replace(number, files=(str(files["hits"]),))
