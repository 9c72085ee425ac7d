"""Checkpoints of a training: the last two, each named by its step and the hash of its bytes, and never half there.

A kill at any moment leaves a whole one; one that is damaged is passed over for the one before.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from posetables.progress import say

KEPT = 2


@dataclass
class Checkpoints:
    """Those of one training, in a folder of its own."""

    folder: Path
    seconds: float
    """Between two of them: what an interruption without a warning costs at most, besides the start."""
    written: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        return time.monotonic() - self.written >= self.seconds

    def write(self, step: int, state: Mapping[str, Any]) -> None:
        """Keep a state, and the one before.

        Raises:
            OSError: no space is left; those that were there still are.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = self.folder / "aside"
        try:
            with aside.open("wb") as file:
                torch.save(dict(state), file)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            aside.unlink()
            raise
        except RuntimeError as error:  # how torch tells that it could not write
            aside.unlink()
            raise OSError(errno.ENOSPC, "no space left", str(aside)) from error
        aside.rename(self.folder / f"{step:09}-{_sha256(aside)}.pt")
        for old in self._there()[KEPT:]:
            old.unlink()
        self.written = time.monotonic()

    def last(self) -> Path | None:
        """The newest whole one. Those that are damaged are deleted, with a line that says so."""
        for path in self._there():
            if path.stem.rpartition("-")[2] == _sha256(path):
                return path
            say(f"{path}: damaged; going on from the one before")
            path.unlink()
        return None

    def read(self, path: Path, device: torch.device) -> dict[str, Any]:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state

    def forget(self) -> None:
        """The finished weights make them useless."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _there(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob("*.pt"), reverse=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
