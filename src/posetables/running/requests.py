"""Which entry of `resources` in params/scales.yaml says what a job asks of a cluster."""

from __future__ import annotations

from posetables.provenance.artifact import Artifact

REQUESTS = {
    "calibrate": "predict",
    "crop": "data",
    "detect": "predict",
    "draw": "data",
    "measure": "measure",
    "predict": "predict",
    "speed": "measure",
    "train": "train",
}
"""Stage -> its entry. The others are short and ask for nothing of their own."""


def kind_of(artifact: Artifact) -> str | None:
    """The entry of its stage, if it has one; some figures are drawn by running a network over everybody."""
    if artifact.stage == "draw" and any(name.startswith("weights:") for name in artifact.inputs):
        return "predict"
    return REQUESTS.get(artifact.stage)
