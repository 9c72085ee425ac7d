"""How many people, steps and bytes a job is about: from what params/ declares, before anything is here."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from posetables.data.sources import MIRROR_VARIABLE
from posetables.recipe import SCALES
from posetables.running import probes
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact

FLOAT = 4
"""Bytes."""
STATES = {"sgd": 1, "rmsprop": 1}
"""Optimizer -> floats that it keeps for each weight."""
KEPT = 2
"""Checkpoints of a training."""


@dataclass(frozen=True)
class Download:
    """What one fetch brings here."""

    dataset: str
    what: Literal["files", "images"]
    bytes: int | None
    """None: nobody has declared them."""
    origin: Literal["network", "mirror", "by hand"]


def people(dataset: str, split: str, artifacts: Artifacts) -> int | None:
    """People with labels in a split at this scale; None where the data set does not declare them.

    What a scale narrows is taken to hold its share of them.
    """
    source = artifacts.recipes.source(dataset)
    count = source.counts.get(split)
    known = source.labelled.get(split, count.people if count else None)
    ends, whole = artifacts.recipes.splits(dataset, artifacts.scale).get(split), source.splits.get(split)
    if known is None or ends is None or whole is None:
        return None
    return math.ceil(known * (ends[1] - ends[0] + 1) / (whole[1] - whole[0] + 1))


def everybody(dataset: str, artifacts: Artifacts) -> int | None:
    """People of all splits of a data set."""
    counts = [people(dataset, split, artifacts) for split in artifacts.recipes.splits(dataset, artifacts.scale)]
    return None if None in counts else sum(count or 0 for count in counts)


def training_steps(training: Artifact, artifacts: Artifacts) -> int | None:
    """Steps of the whole training."""
    counts = [people(part["dataset"], part["split"], artifacts) for part in training.recipe["train"]]
    stage = training.recipe["stage"]
    if None in counts:
        return None
    return int(stage["epochs"] * max(1, sum(count or 0 for count in counts) // stage["batch"]))


def crops(cropping: Artifact, artifacts: Artifacts) -> int | None:
    """Bytes of a store of crops; None before anybody has counted what a detector finds."""
    if "boxes" in cropping.manifest.parts:
        return None
    count = everybody(cropping.recipe["dataset"], artifacts)
    side = round(cropping.recipe["resolution"] * cropping.recipe["margin"])
    return None if count is None else 3 * side**2 * count


def weights(training: Artifact, artifacts: Artifacts) -> int | None:
    """Bytes of a network's weights, from its cost or a probe; None where it was never counted."""
    experiment = experiment_of(training, artifacts)
    try:
        cost = json.loads((artifacts.root / "scores" / experiment / "cost.json").read_text())
        return FLOAT * int(cost["parameters"]["value"])
    except (OSError, ValueError, KeyError, TypeError):
        known = probes.parameters(training)
        return None if known is None else FLOAT * known


def checkpoints(training: Artifact, size: int) -> int:
    """Bytes of the checkpoints that a training of `size` bytes of weights keeps while it runs."""
    return KEPT * size * (1 + STATES[training.recipe["stage"]["optimizer"]["name"]])


def experiment_of(artifact: Artifact, artifacts: Artifacts) -> str:
    """`<paper>/<setup>/<network>` of weights or predictions."""
    return "/".join(artifact.manifest.relative_to(artifacts.root).parts[1:4])


def download(fetching: Artifact, artifacts: Artifacts) -> Download | None:
    """What a fetch brings here, and from where; None for people that the project draws itself."""
    dataset = fetching.recipe["dataset"]
    if artifacts.is_synthetic(dataset):
        return None
    source = artifacts.recipes.source(dataset)
    what: Literal["files", "images"] = "images" if fetching.manifest.stem.endswith(".images.manifest") else "files"
    names = source.images if what == "images" else source.native
    for folder in _folders(dataset, artifacts):
        there = [path for name in names for path in folder.glob(name)]
        if len(there) >= _expected(dataset, what, artifacts):
            return Download(dataset, what, sum(path.stat().st_size for path in there), "mirror")
    if not any(origin.gives_any(names) for origin in source.sources):
        return Download(dataset, what, None, "by hand")
    return Download(dataset, what, source.bytes_of(names), "network")


def _folders(dataset: str, artifacts: Artifacts) -> Sequence[Path]:
    """Where fetching looks before it asks the network."""
    others = [Artifacts(artifacts.recipes, scale).raw / dataset for scale in SCALES if scale != "mini"]
    mirror = os.environ.get(MIRROR_VARIABLE)
    return [*others, *([Path(mirror) / artifacts.recipes.source(dataset).mirror] if mirror else [])]


def _expected(dataset: str, what: str, artifacts: Artifacts) -> int:
    """Files; of images as many as the splits of this scale have."""
    source = artifacts.recipes.source(dataset)
    if what == "files":
        return len(source.native)
    images = 0.0
    for split, (first, last) in artifacts.recipes.splits(dataset, artifacts.scale).items():
        whole = source.splits[split]
        count = source.counts.get(split)
        known = count.images if count and count.images else whole[1] - whole[0] + 1
        images += known * (last - first + 1) / (whole[1] - whole[0] + 1)
    return math.floor(images)
