"""Choose the thresholds of conditional testing on labelled people (MSSA sec. 4.1: "empirically determined")."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.people import read_crops, read_people
from posetables.data.trials import Found, Thresholds, fused, missed, stacked
from posetables.errors import InputError
from posetables.progress import progress, say
from posetables.stages.predict import everybody, find, look_around, trained
from posetables.stages.scoring import HITS, MEASURES, METRICS, Pairs

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Protocol

Value = Callable[[np.ndarray], float]
"""Joints (N, J, 2) in pixels of the image -> what they are worth, in per cent."""


class Choice(NamedTuple):
    """One point of the grid of quantiles, and what testing is worth with its thresholds."""

    confidence: float
    """Quantile of each joint's confidence in the first pass."""
    score: float
    """Quantile of the scores of all passes."""
    retried: int
    """People who are looked for again."""
    value: float


def calibrate(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], outputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Write `thresholds` (JSON): those chosen on the people of `recipe.test`, and all that were tried.

    Raises:
        InputError: the first metric is not one of joints, or nobody there counts for it.
    """
    assert protocol.conditional is not None
    value, column = valuing(recipe, inputs["crops"]["crops"])
    device = devices.choose(recipe.compute)
    passes = all_passes(recipe, protocol, inputs, device)
    choices = grid(passes, protocol.conditional.quantiles, value)
    chosen = best(choices)
    thresholds = thresholds_at(passes, chosen.confidence, chosen.score)
    joints, people = skeletons.named(recipe.skeleton).joints, passes.joints.shape[1]
    told = {
        "thresholds": {
            "confidence": dict(zip(joints, thresholds.confidence.tolist(), strict=True)),
            "score": thresholds.score,
        },
        "people": people,
        "metric": [recipe.metrics[0], column],
        "chosen": chosen._asdict(),
        "grid": [choice._asdict() for choice in choices],
    }
    outputs["thresholds"].write_text(json.dumps(told, indent=1) + "\n")
    say(f"{recipe.name}: {chosen.retried} of {people} people are looked for again: {column} {chosen.value:.2f}")
    return {"people": people, "retried": chosen.retried, "device": devices.name(device)}


def all_passes(
    recipe: Experiment, protocol: Protocol, inputs: Mapping[str, Mapping[str, Path]], device: torch.device
) -> Found:
    """Everybody as found by every pass, (T, N, J, 2) and (T, N, J)."""
    tester = trained(recipe, protocol, inputs, device)
    joints = range(len(skeletons.named(recipe.skeleton).joints))
    people = read_crops(inputs["crops"]["crops"].parent, recipe.test.split, None, joints, aspect=recipe.aspect)
    found = []
    with torch.inference_mode(), progress(f"{recipe.name}: calibrate", len(people)) as advance:
        for shown in everybody(people):
            found.append(stacked([find(tester, shown), *look_around(tester, shown)]))
            advance(len(shown.side))
    return Found(*(np.concatenate(arrays, 1) for arrays in zip(*found, strict=True)))


def grid(passes: Found, quantiles: Sequence[float], value: Value) -> list[Choice]:
    """What every pair of quantiles is worth."""
    return [
        Choice(confidence, score, *worth(passes, thresholds_at(passes, confidence, score), value))
        for confidence in quantiles
        for score in quantiles
    ]


def best(choices: Sequence[Choice]) -> Choice:
    """What is worth most; of equals that which looks for the fewest again, and then the first."""
    return min(choices, key=lambda choice: (-choice.value, choice.retried))


def thresholds_at(passes: Found, confidence: float, score: float) -> Thresholds:
    """tau_c of each joint from the first pass, tau_s from all, at two quantiles."""
    first, scores = passes.confidence[0].astype(np.float64), passes.confidence.mean(2, dtype=np.float64)
    return Thresholds(np.quantile(first, confidence, axis=0), float(np.quantile(scores, score)))


def worth(passes: Found, thresholds: Thresholds, value: Value) -> tuple[int, float]:
    """How many people are looked for again, and what the poses are then worth."""
    again = missed(passes.confidence[0], thresholds.confidence)
    joints = passes.joints[0].copy()
    joints[again] = fused(Found(passes.joints[:, again], passes.confidence[:, again]), thresholds.score).joints
    return int(again.sum()), value(joints)


def valuing(recipe: Experiment, crops: Path) -> tuple[Value, str]:
    """The last column of the first metric, over those of the split who have labels; and its name."""
    skeleton, name = skeletons.named(recipe.skeleton), recipe.metrics[0]
    if name not in METRICS:
        raise InputError(f"{recipe.name}: conditional: {name} is not counted joint by joint; test everybody once")
    metric = METRICS[name]
    measures = MEASURES.get(metric.hits, ())
    labels = (f"joints_{recipe.labels}", f"visible_{recipe.labels}")
    table = read_people(crops, recipe.test.split, "person", *labels, *measures)
    truth, labelled = table[labels[0]].reshape(len(table["person"]), -1, 2), table[labels[1]] > 0
    known = labelled.any(1)
    groups = metric.groups(skeleton)
    if not known.any():
        raise InputError(f"{crops}: nobody of {recipe.test.split} has labels; give conditional.calibrate other people")

    def value(joints: np.ndarray) -> float:
        measured = {measure: table[measure][known] for measure in measures}
        pairs = Pairs(table["person"][known], joints[known], truth[known], labelled[known], measured)
        hits = HITS[metric.hits](pairs, skeleton)
        return float(metric.columns(hits, list(groups.values()), None)[-1])

    return value, list(groups)[-1]
