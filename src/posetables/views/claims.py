"""Print what became of a paper's claims."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table as Grid

from posetables.stages.claims import Outcome, Trial
from posetables.views.console import console

COLOURS = {"supported": "green", "contradicted": "red", "undecided": "yellow", "missing": "dim"}

SHOWN = 3
"""Parts of a claim; the file beside its line has all."""


def print_claims(title: str, note: str, outcomes: Sequence[Outcome], trials: Sequence[Trial]) -> None:
    """A line a claim: what our numbers say of it, what the paper's own digits say, and the parts that decide."""
    grid = Grid(title=title, caption=note, show_lines=True)
    for name in ("Claim", "Our numbers", "As printed", "Parts", "What decides: effect (95 % interval)"):
        grid.add_column(name)
    for each in outcomes:
        colour = COLOURS.get(each.verdict, "default")
        audit = f" (audit {each.finding})" if each.finding else ""
        deciding = telling(each, [part for part in trials if part.claim == each.claim])
        grid.add_row(
            f"[bold]{each.claim}[/]\n{escape(each.says + audit)}",
            f"[{colour}]{each.verdict}[/]",
            each.printed,
            each.parts.replace(", ", "\n"),
            escape("\n".join(deciding)),
        )
    console().print(grid)


def telling(outcome: Outcome, parts: Sequence[Trial]) -> list[str]:
    """The parts that have the verdict of the claim; else, why the others have none."""
    lines = [line(part) for part in parts if part.verdict == outcome.verdict]
    lines = list(dict.fromkeys(lines or [line(part) for part in parts if part.effect is None]))
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


def line(part: Trial) -> str:
    """One part: what is compared, the effect, and what there is to say of it."""
    if part.effect is None:
        return part.reason
    sign = "/" if part.quantity == "ratio" else "-"
    effect = f"{part.effect:.4g} ({part.low:.4g} to {part.high:.4g})"
    return f"{part.left} {sign} {part.right}, {part.column}: {effect}" + (f"; {part.reason}" if part.reason else "")
