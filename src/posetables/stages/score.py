"""Score predictions against the labels of a test split: values at full precision, with intervals over people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from posetables.data import skeletons
from posetables.data.people import read_columns, read_people
from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.metrics import bootstrap, pck, pcp

if TYPE_CHECKING:
    from posetables.recipe import Tested

THRESHOLD = 0.2
BOOTSTRAP_KEY = (0, 0)
"""The same people are drawn for every experiment, so that two of them can be compared person by person."""


def score(recipe: Tested, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]) -> dict[str, Any]:
    """Write `scores` (JSON): metric -> column -> value and 95 % interval in per cent; and `hits` (Parquet): what each
    person adds to them, one line a person and one list a metric."""
    skeleton = skeletons.named(recipe.skeleton)
    pairs = read_pairs(recipe, inputs["people"]["people"], inputs["predictions"]["predictions"])
    person, found, truth, labelled = pairs
    hits = {
        "pck": pck.correct(pck_distances(found, truth, labelled, skeleton), THRESHOLD),
        "pcp": pcp_hits(found, truth, labelled, skeleton),
    }
    scores = {metric: columns(each, groups(metric, skeleton)) for metric, each in hits.items()}
    outputs["scores"].write_text(json.dumps(scores, indent=1) + "\n")
    table = pd.DataFrame({"person": person} | {metric: list(each) for metric, each in hits.items()})
    table.to_parquet(outputs["hits"], index=False)
    return {"people": len(person)}


class Pairs(NamedTuple):
    """What was predicted for each person of a split, and what is labelled."""

    person: np.ndarray
    """(N,) names."""
    found: np.ndarray
    """(N, J, 2) pixels, as `truth`."""
    truth: np.ndarray
    labelled: np.ndarray
    """(N, J) bool."""


def read_pairs(recipe: Tested, people: Path, predictions: Path) -> Pairs:
    """The predictions of one method beside the labels in a table of people."""
    names = ("person", f"joints_{recipe.labels}", f"visible_{recipe.labels}")
    person, joints, visible = read_people(people, recipe.test.split, *names).values()
    predicted = read_columns(predictions, "person", "joints")
    if predicted["person"].tolist() != person.tolist():
        raise InputError(f"{predictions}: person: not the people of {recipe.test.split}; predict again")
    found, truth = (each.reshape(len(person), -1, 2) for each in (predicted["joints"], joints))
    return Pairs(person, found, truth, visible > 0)


def pck_distances(found: np.ndarray, truth: np.ndarray, labelled: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """PCK of LSP and FLIC: (N, J) in units of |left shoulder - right hip| (see `pck.torso_normaliser`)."""
    torso = pck.torso_normaliser(truth, skeleton.index("left shoulder"), skeleton.index("right hip"))
    return pck.distances(found, truth, labelled, torso)


def pcp_hits(found: np.ndarray, truth: np.ndarray, labelled: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Strict PCP@0.5: (N, sticks)."""
    sticks = [
        (tuple(map(skeleton.index, start)), tuple(map(skeleton.index, stop)))
        for part in skeleton.sticks.values()
        for start, stop in part
    ]
    return pcp.strict(found, truth, labelled, sticks)


def groups(metric: str, skeleton: Skeleton) -> dict[str, list[int]]:
    """Column of a metric -> the hits that it averages; the last is that of all."""
    if metric == "pck":
        joints = {name: [skeleton.index(joint) for joint in part] for name, part in skeleton.groups.items()}
        return joints | {"Avg": list(range(len(skeleton.joints)))}
    parts: dict[str, list[int]] = {}
    count = 0
    for name, part in skeleton.sticks.items():
        parts[name] = list(range(count, count + len(part)))
        count += len(part)
    return parts | {"Total": list(range(count))}


def columns(hits: np.ndarray, groups: Mapping[str, list[int]]) -> dict[str, Any]:
    """Column -> value, low and high end of its interval."""
    values = pck.columns(hits, list(groups.values()))
    low, high = bootstrap.intervals(hits, list(groups.values()), BOOTSTRAP_KEY)
    return {
        name: {"value": float(value), "low": float(a), "high": float(b)}
        for name, value, a, b in zip(groups, values, low, high, strict=True)
    }
