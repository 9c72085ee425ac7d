"""A live run in one picture: stage by stage, each running job, what failed, and the time that is left."""

from __future__ import annotations

import contextlib
import datetime
import json
import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence

from rich.live import Live
from rich.markup import escape
from rich.text import Text

from posetables.running.job_states import Seen
from posetables.running.jobs import RULES
from posetables.running.watch import Picture
from posetables.views import triage
from posetables.views.console import console

EVERY = 2.0
"""Seconds between two pictures."""

FAILURES = 3
"""Reasons that are told in full; `posetables why` tells all."""

STATES = {"done": "green", "running": "cyan", "pending": "yellow", "failed": "red"}

NEVER = (
    "BadConstraints", "DependencyNeverSatisfied", "JobHeld", "Partition", "ReqNodeNotAvail", "WallDuration",
)  # fmt: skip
"""Reasons of Slurm's, or parts of such, for which a job does not start by itself."""


def print_picture(picture: Picture) -> None:
    console().print("\n".join(lines_of(picture)))


def show_live(look: Callable[[], Picture]) -> None:
    """A new picture every `EVERY` seconds, until everything is done or the user has seen enough."""
    with contextlib.suppress(KeyboardInterrupt), Live(console=console(), auto_refresh=False) as live:
        while True:
            picture = look()
            live.update(Text.from_markup("\n".join(lines_of(picture)), overflow="ellipsis"), refresh=True)
            if picture.is_over:
                return
            time.sleep(EVERY)


def lines_of(picture: Picture) -> list[str]:
    """Lines of markup."""
    now = datetime.datetime.now().astimezone()
    lines = [f"[bold]{escape(picture.title)}[/], {picture.scale} scale, {now:%H:%M:%S}", *_engine(picture)]
    lines += ["", *_counts(picture.seen)]
    if running := [each for each in picture.seen if each.state == "running"]:
        lines += ["", *(_running(each) for each in running)]
    if picture.failures:
        lines += ["", *triage.told(picture.failures, picture.go_on, FAILURES)]
    return lines if picture.is_over else [*lines, "", *_left(picture)]


def _engine(picture: Picture) -> list[str]:
    lines = []
    if picture.run is not None:
        told = (
            f"{shlex.join(picture.run.command)}, since {picture.run.at.astimezone():%a %H:%M:%S} on {picture.run.host}"
        )
        lines.append(f"{escape(told)}, process {picture.run.process}")
    elif not picture.is_over:
        lines.append("no Snakemake runs in this folder")
    if picture.queue.fault:
        lines.append(f"[red]Slurm does not answer:[/] {escape(picture.queue.fault)}")
    reasons = Counter(each.reason for each in picture.queue.jobs if each.waits)
    for reason, count in reasons.most_common():
        never = any(part in reason for part in NEVER)
        warning = "; [red]does not start by itself[/]" if never else ""
        lines.append(f"in Slurm's queue: {count} for {escape(reason)}{warning}")
    return lines


def _counts(seen: Sequence[Seen]) -> list[str]:
    counts: dict[str, Counter[str]] = {}
    for each in sorted(seen, key=lambda each: RULES.index(each.job.rule)):
        counts.setdefault(each.job.artifact.stage, Counter())[each.state] += 1
    counts["all"] = sum(counts.values(), Counter())
    lines = ["          " + "".join(f"{state:>9}" for state in STATES)]
    for stage, states in counts.items():
        cells = (
            f"[{colour}]{states[state]:>9}[/]" if states[state] else f"{'.':>9}" for state, colour in STATES.items()
        )
        lines.append(f"{stage:10}{''.join(cells)}")
    return lines


def _running(seen: Seen) -> str:
    """`train hcrn/lsp-pc/hg seed0/main: step 120 of 480, epoch 3 of 12, loss 0.0123, Slurm job 17 on n1, 2 min left`"""
    progress, attempt, parts = seen.progress, seen.attempt, []
    if progress is not None:
        parts += [f"step {progress.step:,} of {progress.steps:,}, epoch {progress.epoch} of {progress.epochs}"]
        parts += [f"loss {progress.loss:.4g}"] if progress.loss is not None else []
        parts += [f"score {progress.score:.4g}"] if progress.score is not None else []
        parts += [f"{progress.processes} processes"] if progress.processes > 1 else []
        parts += [f"restarts: {progress.restarts}"] if progress.restarts else []
    if seen.slurm is not None and seen.slurm.runs:
        parts.append(f"Slurm job {seen.slurm.number} on {seen.slurm.node}")
    elif attempt is not None:
        parts.append(f"on {attempt.host}")
    if progress is not None and progress.seconds_left is not None:
        parts.append(f"{_duration(progress.seconds_left)} left")
    elif attempt is not None:
        parts.append(f"since {attempt.at.astimezone():%H:%M:%S}")
    return f"[cyan]{escape(seen.job.name)}[/]: {escape(', '.join(parts))}"


def _left(picture: Picture) -> list[str]:
    left = picture.left
    how = f"jobs to come as long as the finished ones of their stage, {left.at_once} at a time"
    without = ", ".join(f"{count} {stage}" for stage, count in left.unknown.items())
    if without:
        how += f"; without {without}, of which none is finished"
    if not left.seconds:
        return ["time left: not known before the first job of each stage is finished"]
    return [f"time left: about {_duration(left.seconds)} ({how})"]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def as_json(picture: Picture) -> str:
    failed = [triage.as_data(each) for each in picture.failures]
    jobs = [
        {
            "job": each.job.name,
            "stage": each.job.artifact.stage,
            "state": each.state,
            "manifest": str(each.job.artifact.manifest),
            "log": str(each.job.log),
            "attempts": len(each.attempts),
            "slurm_job": each.slurm.number if each.slurm is not None else None,
            "progress": None if each.progress is None else each.progress.model_dump(mode="json"),
        }
        for each in picture.seen
    ]
    left = {"seconds": picture.left.seconds, "at_once": picture.left.at_once, "without": dict(picture.left.unknown)}
    return json.dumps({"scale": picture.scale, "jobs": jobs, "failures": failed, "left": left}, indent=1)
