"""Modules that a stage loads by a name in its recipe: its imports do not tell of them, so that identities ask here.

What a recipe does not use it does not depend on: half of a body that is never shown alone retrains nobody.
"""

from __future__ import annotations

from posetables.recipe import Detector, Experiment, Protocol, Stage


def skeleton(name: str) -> str:
    return f"posetables.data.skeletons.{name}"


def detector(detector: Detector) -> tuple[str, ...]:
    return () if detector.kind is None else (f"posetables.data.detectors.{detector.kind}",)


def network(experiment: Experiment) -> tuple[str, ...]:
    joints = dict.fromkeys((skeleton(experiment.skeleton), skeleton(experiment.maps_of)))
    return f"posetables.models.{experiment.network.paper}", *joints


def people(experiment: Experiment) -> tuple[str, ...]:
    """Those that it learns from."""
    return tuple(skeleton(part.skeleton) for part in experiment.train)


def training(experiment: Experiment, stage: Stage) -> tuple[str, ...]:
    used = {
        "posetables.data.half_body": experiment.augment.half_body > 0,
        "posetables.data.masking": stage.masking is not None,
        "posetables.data.points": any(codec.target == "points" for codec in experiment.codecs.values()),
        "posetables.stages.validation": stage.validation is not None,
    }
    some = (module for module, is_used in used.items() if is_used)
    return *some, *network(experiment), *people(experiment)


def testing(experiment: Experiment, protocol: Protocol) -> tuple[str, ...]:
    decoding = () if protocol.decode == "interpolated" else ("posetables.stages.decode",)
    return *decoding, *network(experiment)
