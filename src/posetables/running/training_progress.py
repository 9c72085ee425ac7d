"""How far a training is: the file that it rewrites every few seconds beside its checkpoints."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError


class Progress(BaseModel):
    """One training, when it last said how far it is."""

    model_config = ConfigDict(frozen=True)

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float | None = None
    """Mean of the last whole epoch."""
    score: float | None = None
    """Of the validation, where a recipe validates."""
    seconds_per_step: float | None = None
    processes: int = 1
    restarts: int = 0
    host: str
    job: str | None = None
    """Slurm's number."""
    at: datetime

    @property
    def seconds_left(self) -> float | None:
        """Unknown in the first moments of a process."""
        return None if self.seconds_per_step is None else (self.steps - self.step) * self.seconds_per_step


def read(checkpoints: Path) -> Progress | None:
    """What the training says that keeps its checkpoints there; None before it has said anything."""
    try:
        return Progress.model_validate_json((checkpoints / "progress.json").read_bytes())
    except (OSError, ValidationError):
        return None
