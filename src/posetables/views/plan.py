"""A plan for a person: what would run, what it brings here, how long it takes and how that is known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from posetables.running.cluster import Unknown
from posetables.views.console import console

if TYPE_CHECKING:
    from posetables.running.limits import Limits
    from posetables.running.plan import Job, Part, Plan

STAGES = (
    "fetch", "annotate", "crop", "detect", "train", "calibrate", "predict", "adopt", "score", "measure", "speed",
    "tabulate", "draw", "claims",
)  # fmt: skip
"""In the order of the work."""

ORIGINS = {
    "measured": "by manifests of such jobs",
    "probed": "some steps timed and multiplied",
    "declared": "at most: the run time that params/scales.yaml asks for",
}

SHORT = 60.0
"""Seconds below which a part is counted, and not listed."""


def print_plan(plan: Plan, limits: Limits) -> None:
    """The whole, stage by stage; data and disk; time; the parts; the cluster."""
    out = console()
    made = len(plan.states) - len(plan.jobs)
    out.print(f"[bold]{escape(_name(plan))}[/] at {plan.scale} scale: {len(plan.jobs)} jobs would run, {made} need not")
    if not plan.jobs:
        return
    restored = sum(job.state == "recorded" for job in plan.jobs)
    if restored:
        out.print(f"{restored} of them were made elsewhere, and their files are not here: dvc pull may restore them")
    out.print(_stages(plan))
    for label, line in (*_data(plan), *_time(plan, limits)):
        colour = "[red]" if label == "warning" else "[bold]"
        out.print(f"{colour}{label:15}[/] {escape(line)}")
    if plan.parts:
        _print_parts(plan)


def _name(plan: Plan) -> str:
    return f"{' '.join(plan.targets) or 'everything'}{f' / {plan.row}' if plan.row else ''}"


def _stages(plan: Plan) -> Table:
    table = _table("stage", "to run", "cached", _unit(plan), "longest", "known by")
    stages = Counter(each.stage for each in plan.states)
    for stage in sorted(stages, key=STAGES.index):
        mine = [job for job in plan.jobs if job.artifact.stage == stage]
        longest = max((job.seconds for job in mine if job.estimate), default=None)
        table.add_row(
            stage, str(len(mine)), str(stages[stage] - len(mine)), _amount(plan, mine),
            "" if longest is None else duration(longest), _known_by(mine),
        )  # fmt: skip
    return table


def _unit(plan: Plan) -> str:
    return "GPU-hours" if _needs_gpus(plan) else "work"


def _work(plan: Plan, jobs: Sequence[Job]) -> float:
    """Seconds of GPUs; of jobs, where none needs a GPU."""
    return sum(job.gpu_seconds if _needs_gpus(plan) else job.seconds for job in jobs)


def _amount(plan: Plan, jobs: Sequence[Job]) -> str:
    work = _work(plan, jobs)
    return hours(work) if _needs_gpus(plan) else duration(work)


def _needs_gpus(plan: Plan) -> bool:
    return any(job.gpu_seconds for job in plan.jobs)


def _known_by(jobs: Sequence[Job]) -> str:
    origins = Counter(job.estimate.origin if job.estimate else "not known" for job in jobs)
    return ", ".join(origin if len(origins) == 1 else f"{count} {origin}" for origin, count in origins.items())


def _data(plan: Plan) -> list[tuple[str, str]]:
    """Lines with their labels: downloads and disk."""
    by: dict[str, dict[str, list[int | None]]] = {}
    for each in plan.downloads:
        by.setdefault(each.origin, {}).setdefault(each.dataset, []).append(each.bytes)
    lines = []
    for origin, label in (("network", "download"), ("mirror", "from mirror")):
        if origin in by:
            told = ", ".join(f"{name} {_sizes(sizes)}" for name, sizes in by[origin].items())
            lines.append((label, f"{_sizes([size for sizes in by[origin].values() for size in sizes])}: {told}"))
    if "by hand" in by:
        lines.append(("by hand", f"{', '.join(by['by hand'])}: nobody gives it by address; posetables fetch says more"))
    disk = plan.disk
    told = ", ".join(
        f"{kind} {_sizes([known, *[None] * unknown])}"
        for kind, (known, unknown) in disk.kinds.items()
        if known or unknown
    )
    if told:
        more = " or more" if any(unknown for _, unknown in disk.kinds.values()) else ""
        hint = "; --probe counts the weights" if disk.weights[1] else ""
        lines.append(("disk", f"{size(disk.needed)}{more}, {size(disk.free)} free: {told}{hint}"))
    if disk.needed > disk.free:
        lines.append(("warning", f"{size(disk.needed - disk.free)} more are needed than this disk has free"))
    return lines


def _time(plan: Plan, limits: Limits) -> list[tuple[str, str]]:
    """Lines with their labels: hours by origin, wall time, and the cluster."""
    total = _work(plan, plan.jobs) or 1.0
    lines = []
    for origin, told in ORIGINS.items():
        mine = [job for job in plan.jobs if job.estimate and job.estimate.origin == origin]
        work = _work(plan, mine)
        if origin == "probed":
            on = ", ".join(dict.fromkeys(job.estimate.basis for job in mine if job.estimate))
            told = f"{told}, on {on}; without loading of data"
        if mine:
            share = f" ({work / total:.0%})" if work else ""
            unit = " GPU-hours" if _needs_gpus(plan) else ""
            amount = f"{_amount(plan, mine)}{unit}{share} in {_count(len(mine), 'job')}"
            lines.append((origin, f"{amount}: {told}"))
    if unknown := [job for job in plan.jobs if job.estimate is None]:
        stages = ", ".join(
            f"{count} {stage}" for stage, count in Counter(job.artifact.stage for job in unknown).items()
        )
        lines.append(("not known", f"{_count(len(unknown), 'job')} ({stages}), counted as no time"))
    return [*lines, *_wall(plan), *_cluster(limits)]


def _wall(plan: Plan) -> list[tuple[str, str]]:
    at_most = "at most " if any(job.estimate and job.estimate.origin == "declared" for job in plan.path) else ""
    steps = [job for job in plan.path if job.seconds >= SHORT]
    way = " > ".join(f"{job.artifact.stage} {duration(job.seconds)}" for job in steps)
    lines = [
        ("wall time", f"{at_most}{duration(plan.path_seconds)} without a limit on jobs" + (f": {way}" if way else ""))
    ]
    if plan.slots is not None and plan.slots_seconds > plan.path_seconds:
        lines.append(("", f"{at_most}{duration(plan.slots_seconds)} with {_count(plan.slots, 'job')} at a time"))
    return lines


def _cluster(limits: Limits) -> list[tuple[str, str]]:
    partition = limits.partition
    if isinstance(partition, Unknown):
        return [("cluster", partition.why)]
    limit = "no time limit" if partition.minutes is None else f"at most {duration(60 * partition.minutes)} a job"
    up = sum(node.is_up for node in partition.nodes)
    nodes = f"{up} of {_count(len(partition.nodes), 'node')} up"
    told = f"partition {partition.name}: {nodes}, {_count(partition.gpus, 'GPU')}, {limit}"
    if limits.gpu_bound_seconds is not None:
        told += f"; all of them busy, the GPU-hours alone take {duration(limits.gpu_bound_seconds)}"
    lines = [("cluster", told)]
    lines += [("time limit", line) for line in limits.strikes]
    return lines + [("warning", line) for line in limits.warnings]


def _print_parts(plan: Plan) -> None:
    """What takes no time is counted, unless nothing takes any."""
    long = [part for part in plan.parts if part.wall_seconds >= SHORT] or list(plan.parts)
    table = _table("alone", "jobs", _unit(plan), "wall time", "known by")
    for part in long:
        table.add_row(
            escape(part.name),
            str(len(part.jobs)),
            _amount(plan, part.jobs),
            duration(part.wall_seconds),
            _share(part),
        )
    console().print(table)
    if short := len(plan.parts) - len(long):
        console().print(f"{short} more take less than {duration(SHORT)} each; what several share, each of them counts")


def _share(part: Part) -> str:
    """Of which origin its time is."""
    by: dict[str, float] = {}
    for job in part.jobs:
        if job.estimate:
            by[job.estimate.origin] = by.get(job.estimate.origin, 0.0) + job.seconds
    total = sum(by.values()) or 1.0
    return ", ".join(f"{seconds / total:.0%} {origin}" for origin, seconds in by.items() if seconds >= 0.005 * total)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, justify="left" if column in (columns[0], "known by") else "right")
    return table


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _sizes(sizes: Sequence[int | None]) -> str:
    """Their sum, and how many are not known."""
    unknown = sizes.count(None)
    missing = f"{unknown} unknown" if unknown > 1 else "unknown"
    known = [each for each in sizes if each]
    return f"{size(sum(known))} + {missing}" if known and unknown else missing if unknown else size(sum(known))


def size(count: float) -> str:
    """Bytes, in the unit that leaves one to three digits before the point."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f}" if seconds else "no"


def duration(seconds: float) -> str:
    """In the two units that matter."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 48 * 60:
        large, small, units = minutes // 60, minutes % 60, ("h", "min")
    else:
        large, small, units = minutes // 1440, minutes % 1440 // 60, ("d", "h")
    return f"{large} {units[0]}" + (f" {small} {units[1]}" if small else "")


def as_json(plan: Plan, limits: Limits) -> str:
    """The same for programs: seconds and bytes, null where nothing is known."""
    partition = limits.partition
    return json.dumps(
        {
            "scale": plan.scale,
            "targets": list(plan.targets),
            "row": plan.row,
            "cached": len(plan.states) - len(plan.jobs),
            "jobs": [_job(job) for job in plan.jobs],
            "downloads": [vars(each) for each in plan.downloads],
            "disk": {
                "free": plan.disk.free,
                "needed": {
                    kind: {"bytes": known, "unknown": unknown} for kind, (known, unknown) in plan.disk.kinds.items()
                },
            },
            "gpu_seconds": {origin: _gpu_seconds(plan.jobs, origin) for origin in ORIGINS},
            "wall_seconds": plan.path_seconds,
            "longest_path": [str(job.artifact.manifest) for job in plan.path],
            "with_slots": {"slots": plan.slots, "wall_seconds": plan.slots_seconds},
            "parts": [
                {
                    "name": part.name,
                    "jobs": len(part.jobs),
                    "gpu_seconds": {origin: _gpu_seconds(part.jobs, origin) for origin in ORIGINS},
                    "wall_seconds": part.wall_seconds,
                }
                for part in plan.parts
            ],
            "cluster": {
                "unknown": partition.why if isinstance(partition, Unknown) else None,
                "partition": None if isinstance(partition, Unknown) else partition.name,
                "gpus": None if isinstance(partition, Unknown) else partition.gpus,
                "gpu_bound_seconds": limits.gpu_bound_seconds,
                "strikes": list(limits.strikes),
                "warnings": list(limits.warnings),
            },
        },
        indent=1,
    )


def _job(job: Job) -> Mapping[str, Any]:
    known = job.estimate
    return {
        "manifest": str(job.artifact.manifest),
        "stage": job.artifact.stage,
        "state": job.state,
        "seconds": known and known.seconds,
        "gpu_seconds": job.gpu_seconds if known else None,
        "origin": known and known.origin,
        "basis": known and known.basis,
    }


def _gpu_seconds(jobs: Sequence[Job], origin: str) -> float:
    return sum(job.gpu_seconds for job in jobs if job.estimate and job.estimate.origin == origin)
