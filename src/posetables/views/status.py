"""Where every artifact stands: counts, and why each that is not current is not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from rich.markup import escape

from posetables.stages.status import Standing
from posetables.views.console import console

COLOURS = {
    "current": "green",
    "behind": "cyan",
    "stale": "red",
    "altered": "red",
    "recorded": "yellow",
    "missing": "dim",
}


def print_status(found: Sequence[Standing], one: bool) -> None:
    """A line a scale and stage; below it why each artifact is not current. What was never made is only counted, unless
    one target was asked for."""
    out = console()
    counts: dict[tuple[str, str], Counter[str]] = {}
    for each in found:
        counts.setdefault((each.scale, each.artifact.stage), Counter())[each.freshness.state] += 1
    for (scale, stage), states in counts.items():
        told = ", ".join(f"[{COLOURS[state]}]{count} {state}[/]" for state, count in sorted(states.items()))
        out.print(f"{scale:6}{stage:10}{told}")
    for each in found:
        state, why = each.freshness.state, each.freshness.why
        if state not in ("current", "recorded") and (one or state != "missing"):
            out.print(f"[{COLOURS[state]}]{state}[/] {escape(f'{each.artifact.manifest}: {why}')}")


def as_json(found: Sequence[Standing]) -> str:
    return json.dumps(
        [
            {
                "manifest": str(each.artifact.manifest),
                "scale": each.scale,
                "stage": each.artifact.stage,
                "state": each.freshness.state,
                "why": each.freshness.why,
            }
            for each in found
        ],
        indent=1,
    )
