"""Score predictions against the labels of a test split: values at full precision, with intervals over people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from posetables.data import skeletons
from posetables.data.people import read_columns, read_people
from posetables.errors import InputError
from posetables.metrics import bootstrap
from posetables.progress import say
from posetables.stages.scoring import HITS, MEASURES, METRICS, Pairs

if TYPE_CHECKING:
    from posetables.recipe import Tested

BOOTSTRAP_KEY = (0, 0)
"""The same people are drawn for every experiment, so that two of them can be compared person by person."""


def score(recipe: Tested, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `scores` (JSON): metric -> column -> value and 95 % interval in per cent; and `hits` (Parquet): what each
    person adds to them, one line a person and one list for each kind of hits."""
    skeleton = skeletons.named(recipe.skeleton)
    counted = list(dict.fromkeys(METRICS[name].hits for name in recipe.metrics))
    measures = sorted({measure for name in counted for measure in MEASURES.get(name, ())})
    pairs = read_pairs(recipe, inputs["people"]["people"], inputs["predictions"]["predictions"], measures)
    hits = {name: HITS[name](pairs, skeleton) for name in counted}
    scores = {}
    for name in recipe.metrics:
        metric = METRICS[name]
        groups = metric.groups(skeleton)
        times = bootstrap.resamples(len(pairs.person), BOOTSTRAP_KEY)
        values = metric.columns(hits[metric.hits], list(groups.values()), None)
        scores[name] = summary(values, metric.columns(hits[metric.hits], list(groups.values()), times), list(groups))
    outputs["scores"].write_text(json.dumps(scores, indent=1) + "\n")
    table = pd.DataFrame({"person": pairs.person} | {name: list(each) for name, each in hits.items()})
    table.to_parquet(outputs["hits"], index=False)
    name, column = recipe.metrics[0], list(METRICS[recipe.metrics[0]].groups(skeleton))[-1]
    say(f"{recipe.name}: {name} {column} {scores[name][column]['value']:.2f}")
    return {"people": len(pairs.person)}


def summary(values: np.ndarray, draws: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Values (C,) and their draws (D, C) -> column -> value, low and high end of its interval; a column that nobody is
    counted for is left out."""
    low, high = bootstrap.percentiles(draws)
    return {
        name: {"value": float(value), "low": float(a), "high": float(b)}
        for name, value, a, b in zip(names, values, low, high, strict=True)
        if not np.isnan(value)
    }


def read_pairs(recipe: Tested, people: Path, predictions: Path, measures: Sequence[str] = ()) -> Pairs:
    """The predictions of one method beside the labels in a table of people. Whoever has no label counts for nothing."""
    names = ("person", f"joints_{recipe.labels}", f"visible_{recipe.labels}")
    table = read_people(people, recipe.test.split, *names, *measures)
    known = (table[f"visible_{recipe.labels}"] > 0).any(1)
    person, joints, visible, *others = (column[known] for column in table.values())
    predicted = read_columns(predictions, "person", "joints")
    mine = np.isin(predicted["person"], person)
    if predicted["person"][mine].tolist() != person.tolist():
        raise InputError(f"{predictions}: person: not the people of {recipe.test.split}; predict again")
    found, truth = (each.reshape(len(person), -1, 2) for each in (predicted["joints"][mine], joints))
    return Pairs(person, found, truth, visible > 0, dict(zip(measures, others, strict=True)))
