"""What failed: class, reason, last lines, what to change first, and the command to go on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from rich.markup import escape

from posetables.running.failures import Failure
from posetables.views.console import console


def print_failures(found: Sequence[Failure], go_on: Sequence[str]) -> int:
    """Each once; those that failed for the same reason are told together. 1 if there are any."""
    console().print("\n".join(told(found, go_on)) if found else "nothing has failed")
    return int(bool(found))


def print_json(found: Sequence[Failure], go_on: Sequence[str]) -> int:
    """The same, for programs."""
    print(json.dumps({"failures": [as_data(each) for each in found], "go_on": list(go_on)}, indent=1))
    return int(bool(found))


def told(found: Sequence[Failure], go_on: Sequence[str], most: int | None = None) -> list[str]:
    """Lines of markup; most: how many reasons are told in full."""
    alike: dict[tuple[str, str, str], list[Failure]] = {}
    for each in found:
        alike.setdefault((each.verdict.kind, each.verdict.why, each.verdict.change), []).append(each)
    groups = list(alike.values())
    lines = [line for group in groups[:most] for line in _group(group)]
    if more := sum(map(len, groups[len(groups) if most is None else most :])):
        lines.append(f"  and {more} more, for other reasons: posetables why")
    return [*lines, f"go on: [bold]{escape(shlex.join(go_on))}[/]"] if lines and go_on else lines


def _group(alike: Sequence[Failure]) -> list[str]:
    first = alike[0]
    verdict = first.verdict
    lines = [
        f"[red]{verdict.kind:8}[/] {escape(first.seen.job.name)}: {escape(_where(first))}",
        f"  {escape(verdict.why)}",
    ]
    lines += [f"  [dim]| {escape(line)}[/]" for line in verdict.lines if verdict.why not in line]
    lines.append(f"  log: {escape(str(first.log))}")
    if verdict.change:
        lines.append(f"  change: {escape(verdict.change)}")
    if len(alike) > 1:
        lines.append(f"  the same: {escape(', '.join(each.seen.job.name for each in alike[1:]))}")
    return lines


def _where(failure: Failure) -> str:
    """`attempt 2, Slurm job 17 on n1, began 14:02:31`."""
    seen, last = failure.seen, failure.seen.attempt
    parts = [f"attempt {len(seen.attempts)}"] if len(seen.attempts) > 1 else []
    number = seen.slurm.number if seen.slurm is not None else last.job if last is not None else None
    node = (seen.slurm.node if seen.slurm is not None else "") or (last.host if last is not None else "")
    parts += [" ".join([*([f"Slurm job {number}"] if number else []), *([f"on {node}"] if node else [])])]
    if last is not None and last.job == number:
        parts += [f"began {last.at.astimezone():%H:%M:%S}"]
    return ", ".join(part for part in parts if part)


def as_data(failure: Failure) -> dict[str, Any]:
    """For programs."""
    verdict = failure.verdict
    return {
        "job": failure.seen.job.name,
        "manifest": str(failure.seen.job.artifact.manifest),
        "kind": verdict.kind,
        "why": verdict.why,
        "change": verdict.change,
        "lines": list(verdict.lines),
        "log": str(failure.log),
        "attempts": len(failure.seen.attempts),
    }
