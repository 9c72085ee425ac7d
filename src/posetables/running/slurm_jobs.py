"""What Slurm says of this project's jobs: its queue, and its accounts where it keeps any."""

from __future__ import annotations

import datetime
import getpass
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0
"""Seconds for Slurm to answer: a controller that is down keeps its clients waiting much longer."""

NOWHERE = "Could not establish a configuration source"
"""What its clients say where they are installed and there is no cluster."""

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
RUNNING = frozenset(
    {"RUNNING", "CONFIGURING", "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED"}
)


@dataclass(frozen=True)
class SlurmJob:
    """A job as Slurm has it."""

    number: str
    state: str
    node: str = ""
    reason: str = ""
    """Why it waits, or how it ended."""
    comment: str = ""
    """By which the plugin says what it is: rule and wildcards."""
    submitted: datetime.datetime | None = None

    @property
    def waits(self) -> bool:
        return self.state in WAITING

    @property
    def runs(self) -> bool:
        return self.state in RUNNING


@dataclass(frozen=True)
class Queue:
    """Jobs submitted from the project's folder, those that ended in the last minutes as well."""

    jobs: tuple[SlurmJob, ...] = ()
    answers: bool = False
    """Whether a job that is not among them can be taken for ended."""
    fault: str = ""
    """Why Slurm, which is installed, does not answer."""

    def job(self, number: str | None) -> SlurmJob | None:
        return next((each for each in self.jobs if each.number == number), None)

    def called(self, comment: str) -> SlurmJob | None:
        """The last submitted of that comment."""
        return max(
            (each for each in self.jobs if each.comment == comment), key=lambda each: int(each.number), default=None
        )


def queue(folder: Path) -> Queue:
    """Ask for the jobs of this user that were submitted in `folder`."""
    if shutil.which("squeue") is None:
        return Queue()
    told = _ask("squeue", "--states=all", "--noheader", f"--user={getpass.getuser()}", "--format=%A|%T|%N|%r|%V|%Z|%k")
    if isinstance(told, str):
        return Queue() if NOWHERE in told else Queue(fault=told)
    parts = (line.split("|", 6) for line in told if line.count("|") >= 6)
    jobs = [
        SlurmJob(number, state, node, reason, comment, datetime.datetime.fromisoformat(submitted).astimezone())
        for number, state, node, reason, submitted, place, comment in parts
        if Path(place) == folder
    ]
    return Queue(tuple(jobs), answers=True)


def accounts(numbers: Iterable[str]) -> dict[str, SlurmJob]:
    """Ended jobs by number, as far as Slurm keeps accounts; memory that ran out in a step counts for its job."""
    wanted = ",".join(numbers)
    if not wanted or shutil.which("sacct") is None:
        return {}
    told = _ask("sacct", "--noheader", "--parsable2", f"--jobs={wanted}", "--format=JobIDRaw,State,NodeList")
    found: dict[str, SlurmJob] = {}
    for line in [] if isinstance(told, str) else told:
        raw, state, node = line.split("|", 2)
        number, _, step = raw.partition(".")
        word = state.partition(" ")[0]  # `CANCELLED by 1000`
        if not step or (word == "OUT_OF_MEMORY" and number in found):
            found[number] = SlurmJob(number, word, node)
    return found


def _ask(*command: str) -> list[str] | str:
    """The lines of the answer, or why there is none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"{command[0]} says nothing for {PATIENCE:.0f} s"
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"{command[0]}: ended with {done.returncode}"])[-1]
    return done.stdout.splitlines()
