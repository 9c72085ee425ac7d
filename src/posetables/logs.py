"""What a job said: written beside what the terminal shows, between a line of its beginning and one of its end.

A job that was killed has no last line, and that is how it is told from one that failed. The end of a pipe would be
killed by the signal that asks a training to stop, and the training with it, so that the program writes its log itself.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import re
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from posetables.progress import FIRST

BEGINS = re.compile(
    r"== (?P<at>\S+) (?P<command>.+) on (?P<host>\S+), process (?P<process>\d+)(, Slurm job (?P<job>\S+))?"
)
ENDS = re.compile(r"== (?P<at>\S+) ended with (?P<code>\d+)")


@dataclass(frozen=True)
class Attempt:
    """One run of a job, as its log has it."""

    command: str
    host: str
    process: int
    job: str | None
    """Slurm's number of it."""
    at: datetime.datetime
    lines: tuple[str, ...]
    """What it said."""
    code: int | None
    """Its exit status; None: it runs still, or was killed."""


def read(path: Path) -> list[Attempt]:
    """Every run that a log tells of, the last one last; empty without a log."""
    if not path.exists():
        return []
    found: list[Attempt] = []
    lines: list[str] = []
    begun: re.Match[str] | None = None

    def add(code: int | None) -> None:
        if begun is not None:
            at = datetime.datetime.fromisoformat(begun["at"])
            found.append(
                Attempt(begun["command"], begun["host"], int(begun["process"]), begun["job"], at, tuple(lines), code)
            )

    for line in path.read_text(errors="replace").splitlines():
        if (begins := BEGINS.fullmatch(line)) is not None:
            add(None)
            begun, lines = begins, []
        elif (ends := ENDS.fullmatch(line)) is not None:
            add(int(ends["code"]))
            begun, lines = None, []
        else:
            lines.append(line)
    add(None)
    return found


class Logged(io.TextIOBase):
    """Standard error, and a file that gets the same. Never a terminal: bars of jobs side by side would overlap."""

    def __init__(self, shown: TextIO, file: TextIO) -> None:
        self.shown, self.file = shown, file

    def write(self, text: str) -> int:
        self.file.write(text)
        self.file.flush()
        with contextlib.suppress(OSError):  # whoever watched has gone; the work goes on
            self.shown.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self.shown.flush()


def logged(path: Path | None, command: Sequence[str], run: Callable[[], int]) -> int:
    """The exit status of `run`; what it says is added to the log at `path`, if there is one."""
    if path is None:
        return run()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        shown, sys.stderr = sys.stderr, Logged(sys.stderr, file)
        if FIRST:
            job = os.environ.get("SLURM_JOB_ID")
            where = f"{socket.gethostname()}, process {os.getpid()}" + (f", Slurm job {job}" if job else "")
            file.write(f"== {_now()} posetables {' '.join(command)} on {where}\n")
            file.flush()
        try:
            code = run()
        except Exception:
            traceback.print_exc()
            code = 1
        finally:
            sys.stderr = shown
        if FIRST:
            file.write(f"== {_now()} ended with {code}\n")
    return code


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
