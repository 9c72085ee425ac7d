"""Where a training is: what the next step depends on besides the recipe, kept in checkpoints and told to onlookers."""

from __future__ import annotations

import datetime
import json
import math
import os
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from posetables.errors import InputError, Stopped
from posetables.progress import say
from posetables.stages import processes

if TYPE_CHECKING:
    import torch
    from torch import nn

    from posetables.stages.checkpoints import Checkpoints

TOLD_SECONDS = 3.0
"""Between two accounts for those who watch."""


@dataclass(frozen=True)
class Place:
    """Which training this is, and how long."""

    experiment: str
    stage: str
    seed: int
    epochs: int
    epoch_steps: int

    @property
    def steps(self) -> int:
        return self.epochs * self.epoch_steps


@dataclass
class Run:
    """What the next step depends on besides the weights, and what onlookers are told."""

    checkpoints: Checkpoints
    place: Place
    step: int = 0
    restarts: int = 0
    history: dict[str, list[float]] = field(default_factory=lambda: {"epoch": [], "rate": [], "loss": []})
    losses: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.told = time.monotonic()
        self.resumed_at = 0

    def record(self, loss: float, rate: float) -> None:
        if not math.isfinite(loss):
            raise InputError(
                f"{self.place.experiment}: step {self.step}: the loss is {loss}; lower lr of this training in params/"
            )
        self.losses += loss
        self.step += 1
        if self.step % self.place.epoch_steps == 0:
            epoch, mean = self.step // self.place.epoch_steps, self.losses / self.place.epoch_steps
            for key, value in (("epoch", epoch), ("rate", rate), ("loss", mean)):
                self.history[key].append(value)
            say(f"epoch {epoch}: loss {mean:.5f}, rate {rate:.3g}")
            self.losses = 0.0
        self.tell(rate)

    def score(self, score: float | None) -> None:
        """What the first process says of the epoch that has just ended, in per cent."""
        assert score is not None
        self.history.setdefault("score", []).append(score)
        say(f"validation: {score:.2f}")

    def keep(self, network: nn.Module, optimizer: torch.optim.Optimizer, *, now: bool) -> None:
        """Write a checkpoint, `now` or when one is due."""
        if processes.rank() == 0 and (now or self.checkpoints.due):
            own = {"step": self.step, "restarts": self.restarts, "history": self.history, "losses": self.losses}
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "run": own}
            self.checkpoints.write(self.step, state)

    def resume(self, network: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        """Go on from the last checkpoint, whatever number of processes wrote it."""
        last = processes.from_first(self.checkpoints.last() if processes.rank() == 0 else None)
        if last is not None:
            state = self.checkpoints.read(last, device)
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            for key, value in state["run"].items():
                setattr(self, key, value)
            self.restarts += 1
            self.resumed_at = self.step
            say(f"going on from step {self.step}")

    def stopped(self, number: int = signal.SIGTERM) -> Stopped:
        """What is said last; the signal may have reached another of the processes."""
        name = signal.Signals(number).name
        return Stopped(
            f"stopped at step {self.step} of {self.place.steps} by {name}; the same command goes on from there", number
        )

    def tell(self, rate: float) -> None:
        """Rewrite `progress.json` beside the checkpoints, now and then."""
        if processes.rank() != 0 or time.monotonic() - self.told < TOLD_SECONDS:
            return
        self.told = time.monotonic()
        done = self.step - self.resumed_at
        told = {
            "experiment": self.place.experiment,
            "stage": self.place.stage,
            "seed": self.place.seed,
            "step": self.step,
            "steps": self.place.steps,
            "epoch": self.step // self.place.epoch_steps,
            "epochs": self.place.epochs,
            "loss": self.history["loss"][-1] if self.history["loss"] else None,
            "rate": rate,
            "score": self.history["score"][-1] if "score" in self.history else None,
            "seconds_per_step": (self.told - self.began) / done,
            "processes": processes.count(),
            "restarts": self.restarts,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "job": os.environ.get("SLURM_JOB_ID"),
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        folder = self.checkpoints.folder
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / "progress.aside"
        aside.write_text(json.dumps(told))
        aside.rename(folder / "progress.json")
