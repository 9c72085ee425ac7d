"""What the doctor found: one line a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.markup import escape

from posetables.data.conventions import Check
from posetables.stages.doctor import Diagnosis
from posetables.views.console import console

WORDS = {True: "[green]well [/]", False: "[red]wrong[/]", None: "[dim]told [/]"}


def print_diagnoses(found: Iterable[Diagnosis]) -> int:
    """Each as soon as it is there; 1 if anything is wrong."""
    out, states = console(), Counter[bool | None]()
    for each in found:
        out.print(f"[bold]{escape(each.dataset)}[/] {escape(f'({each.title}), {each.folder}')}")
        for check in each.checks:
            states[check.holds] += 1
            out.print(f"  {WORDS[check.holds]} {escape(_told(check))}")
    out.print(f"{states[True]} well, {states[False]} wrong, {states[None]} only told")
    return int(states[False] > 0)


def _told(check: Check) -> str:
    return f"{check.name}: {check.seen}" + (f" (expected: {check.expected})" if check.expected else "")
