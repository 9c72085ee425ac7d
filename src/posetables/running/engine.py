"""The run of Snakemake in this folder: since when, where, by which command, and whether it still goes on."""

from __future__ import annotations

import fcntl
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

RUN = Path(".snakemake/run.lock")
"""Locked by the run that is under way, which says in it who it is."""


class EngineRun(BaseModel):
    """The last run."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    host: str
    process: int
    command: tuple[str, ...]
    """`snakemake` and its arguments."""
    targets: tuple[str, ...]
    """Files that it was asked for, by whatever name."""


def last_run() -> EngineRun | None:
    """None where none has ever begun, or it said nothing."""
    try:
        return EngineRun.model_validate_json(RUN.read_bytes())
    except (OSError, ValidationError):
        return None


def is_locked(path: Path) -> bool:
    """Whether a process, here or on another node of the same disk, holds the lock. It is asked for a moment, and only
    shared, so that nobody who wants it fails."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no file; or a disk without locks, which says nothing
        return False
    return False
