"""Print what arithmetic says of the papers' printed numbers."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.markup import escape

from posetables.papers.flags import Report
from posetables.views.console import console


def print_report(report: Report) -> None:
    """A line for each disagreement with its finding of our audit, then the counts, then what flags and arithmetic do
    not share."""
    out = console()
    for each in report.found:
        finding, name = each.finding, "+".join(each.findings) or "new"
        out.print(f"[bold]{name:4}[/] {escape(f'{finding.rule:10}{finding.places[0]}: {finding.numbers}')}")
        out.print(f"     {'':10}{escape(finding.judgement)}", style="dim")
    out.print()
    for rule, cases in report.cases.items():
        out.print(f"{rule:10} {cases:5} checked, {sum(each.finding.rule == rule for each in report.found):3} disagree")
    for name, why in report.undecided.items():
        out.print(f"{name:4} not decided by arithmetic: {escape(why)}")
    for line in report.drift:
        out.print(f"[red]{escape(line)}[/]")
    decided = {name for each in report.found for name in each.findings}
    out.print(f"{len(report.found)} disagreements, {len(decided)} findings of the audit; ", end="")
    out.print(
        f"[red]{len(report.drift)} not in step with the flags[/]" if report.drift else "flags and arithmetic agree"
    )


def as_json(report: Report) -> str:
    return json.dumps(asdict(report), indent=1, default=list)
