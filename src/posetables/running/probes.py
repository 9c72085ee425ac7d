"""What was timed by some steps on some processor, remembered. Deleting the memory costs time, nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables.provenance import identity, memory
from posetables.running import sizes

if TYPE_CHECKING:
    from posetables.provenance.artifact import Artifact
    from posetables.schemas import Request
    from posetables.stages.artifacts import Artifacts

MEMORY = Path(".posetables/probes")
"""Below the root of the project, one file for every network and way to run it."""

TIMED = ("maps_of", "input", "aspect", "codecs", "network", "compute")
"""What of a recipe the time of a step depends on, whatever the stage."""


@dataclass(frozen=True)
class Probe:
    """What was found on one processor."""

    processor: str
    is_gpu: bool
    seconds: float
    """Of one step of a training; of one person of a test."""
    at: str
    """ISO 8601."""


def remembered(artifact: Artifact, request: Request) -> Probe | None:
    """The last probe of a training or a test on a processor of the kind that it asks for."""
    if artifact.stage not in ("train", "predict"):
        return None
    fitting = [probe for probe in _probes(artifact, request) if probe.is_gpu == (request.gpu > 0)]
    return max(fitting, key=lambda probe: probe.at, default=None)


def remember(artifact: Artifact, request: Request, probe: Probe) -> None:
    """Keep a probe in place of an older one on the same processor."""
    others = [each for each in _probes(artifact, request) if each.processor != probe.processor]
    _write(_timing(artifact, request), {"probes": [asdict(each) for each in (*others, probe)]})


def parameters(artifact: Artifact) -> int | None:
    """Parameters of the network of a training, if it was ever built to count them."""
    found: int | None = _read(_network(artifact)).get("parameters")
    return found


def remember_parameters(artifact: Artifact, count: int) -> None:
    _write(_network(artifact), {"parameters": count})


def repeats(artifact: Artifact, artifacts: Artifacts) -> int | None:
    """How many times that which a probe times is done; None where nobody has counted the people."""
    if artifact.stage == "train":
        return sizes.training_steps(artifact, artifacts)
    test = artifact.recipe["test"]
    return sizes.people(test["dataset"], test["split"], artifacts)


def _probes(artifact: Artifact, request: Request) -> list[Probe]:
    return [Probe(**each) for each in _read(_timing(artifact, request)).get("probes", [])]


def _timing(artifact: Artifact, request: Request) -> Path:
    """Named by all that a time depends on but the processor: part of the recipe, processes, and the network's code."""
    recipe: dict[str, Any] = {key: artifact.recipe[key] for key in TIMED}
    if artifact.stage == "train":
        stage = artifact.recipe["stage"]
        recipe["stage"] = {key: stage[key] for key in ("batch", "shares", "freeze", "supervise")}
        recipe["optimizer"] = stage["optimizer"]["name"]
        recipe["processes"] = request.nodes * request.processes
    else:
        timed = ("scales", "pyramid", "flip", "decode", "kernel", "refine")
        recipe["protocol"] = [artifact.recipe["protocol"][key] for key in timed]
    return _file([artifact.stage, recipe, _code(artifact)])


def _network(artifact: Artifact) -> Path:
    return _file([artifact.recipe["maps_of"], artifact.recipe["network"], _code(artifact)])


def _code(artifact: Artifact) -> str:
    return identity.code_identity(each for each in artifact.modules if each.startswith("posetables.models."))


def _file(content: Any) -> Path:
    return MEMORY / f"{identity.digest(content)}.json"


def _write(file: Path, content: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(".aside")
    aside.write_text(json.dumps(content))
    aside.rename(file)


def _read(file: Path) -> dict[str, Any]:
    content = memory.recall(file)
    return content if isinstance(content, dict) else {}
