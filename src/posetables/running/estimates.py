"""How long a job takes, and how that is known: measured, probed or declared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from posetables.provenance import manifest
from posetables.running import probes, training_progress
from posetables.running.requests import kind_of
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.provenance.manifest import Manifest
    from posetables.schemas import Request

Origin = Literal["measured", "probed", "declared"]
"""By a manifest; by some steps on a processor, multiplied; by params/scales.yaml, which is an upper bound."""

SAME_AT_ALL_SCALES = ("annotate", "adopt", "score", "tabulate", "claims")
"""Work that no network's size changes: its time at one scale of real people is its time at the other."""


@dataclass(frozen=True)
class Estimate:
    """What one job takes."""

    seconds: float
    origin: Origin
    basis: str
    """The manifest, the processor or the key that says so."""


def request_of(artifact: Artifact, artifacts: Artifacts) -> Request | None:
    """What its job asks a cluster for."""
    if (kind := kind_of(artifact)) is None:
        return None
    request: Request = getattr(artifacts.recipes.scale(artifacts.scale).resources, kind)
    return request


def estimate(artifact: Artifact, artifacts: Artifacts) -> Estimate | None:
    """The best that is known: a measurement before a probe, a probe before what is declared; None if nothing is."""
    request = request_of(artifact, artifacts)
    if (rest := _rest(artifact, artifacts)) is not None:
        return rest
    for path in _alike(artifact, artifacts):
        record = manifest.read(path)
        # Of an interrupted job only the last run was timed; and a CPU says nothing of a GPU.
        if (
            record
            and not record.circumstances.restarts
            and not (request and request.gpu and not record.environment.gpu)
        ):
            return Estimate(_scaled(record, artifact), "measured", str(path))
    if request is None:
        return None
    if (probe := probes.remembered(artifact, request)) and (count := probes.repeats(artifact, artifacts)):
        return Estimate(count * probe.seconds, "probed", probe.processor)
    return Estimate(60.0 * request.runtime, "declared", f"{artifacts.scale}.resources.{kind_of(artifact)}.runtime")


def _rest(artifact: Artifact, artifacts: Artifacts) -> Estimate | None:
    """What is left of a training that is under way, or was interrupted: by the speed that it has told."""
    if artifact.stage != "train":
        return None
    folder = artifacts.checkpoints(artifact)
    told = training_progress.read(folder)
    if told is None or told.seconds_left is None:
        return None
    return Estimate(told.seconds_left, "measured", str(folder / "progress.json"))


def _alike(artifact: Artifact, artifacts: Artifacts) -> Iterator[Path]:
    """Manifests of the same job: its own, even if stale; another seed's; another scale's where scales do not matter."""
    own = artifact.manifest
    yield own
    if seed := re.search(r"/(seed\d+)/", str(own)):
        head, tail = str(own).split(seed[0], 1)
        yield from sorted(Path(head).glob(f"seed*/{tail}"))
    if artifact.stage in SAME_AT_ALL_SCALES and artifacts.scale != "mini":
        other = Artifacts(artifacts.recipes, "lite" if artifacts.scale == "paper" else "paper")
        for mine, its in ((artifacts.root, other.root), (artifacts.prepared, other.prepared)):
            if own.is_relative_to(mine):
                yield its / own.relative_to(mine)


def _scaled(record: Manifest, artifact: Artifact) -> float:
    """Seconds, of a training for the epochs that it has today."""
    now, then = (recipe.get("stage", {}).get("epochs") for recipe in (artifact.recipe, record.recipe))
    return record.circumstances.seconds * (now / then if now and then else 1.0)
