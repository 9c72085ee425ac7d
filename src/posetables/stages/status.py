"""What is current, behind, stale, altered, recorded or missing, and why; nothing is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from posetables.errors import InputError
from posetables.provenance.artifact import Artifact, Freshness
from posetables.recipe import ScaleName
from posetables.stages.artifacts import Artifacts


@dataclass(frozen=True)
class Standing:
    """Where one artifact stands."""

    scale: ScaleName
    artifact: Artifact
    freshness: Freshness


def status(scales: Mapping[ScaleName, Artifacts], target: str | None) -> list[Standing]:
    """Every artifact of the scales, or the target and all that it is made from, what is made first, first.

    target: an item, an experiment, or the path of an artifact.

    Raises:
        InputError: the target is none of these.
    """
    everything = [(scale, each) for scale, artifacts in scales.items() for each in artifacts.everything()]
    if target is not None:
        named = [each for _, each in everything if is_named(each, target)]
        if not named:
            raise InputError(f"{target}: no item, experiment or artifact; see: posetables status")
        wanted = {below for each in named for below in each.all()}
        everything = [(scale, each) for scale, each in everything if each in wanted]
    return [Standing(scale, each, each.freshness()) for scale, each in everything]


def is_named(artifact: Artifact, target: str) -> bool:
    """Whether the target is its path, its item or its experiment."""
    paths = [str(path) for path in (artifact.manifest, *artifact.outputs.values())]
    is_item = artifact.stage in ("tabulate", "draw") and artifact.manifest.name == f"{target}.manifest.json"
    is_experiment = target.count("/") == 2 and any(f"/{target}/" in path for path in paths)
    return is_item or is_experiment or target.rstrip("/") in paths
