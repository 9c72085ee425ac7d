"""The flags of `published.csv` against arithmetic, so that the two can never drift apart.

A flag names a finding of our audit: "audit A8: parts give 82.70". For each finding, `params/papers/findings.yaml` says
which rule decides it, or why none can. What a rule finds must be flagged, in one of its cells at least; and a flag
that a rule decides must be found, in its own cell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posetables.papers.claims import Place
from posetables.papers.consistency import Checked, Finding

if TYPE_CHECKING:
    from posetables.papers.entries import Papers
    from posetables.recipe import Findings

FLAG = re.compile(r"(?:^|; )audit ([A-G]\d*): ")


@dataclass(frozen=True)
class Confirmed:
    """What a rule found, and the findings of our audit that it is."""

    findings: tuple[str, ...]
    finding: Finding


@dataclass(frozen=True)
class Report:
    """All that was checked."""

    cases: Mapping[str, int]
    """Rule -> how many cases it looked at."""
    found: Sequence[Confirmed]
    undecided: Mapping[str, str]
    """Flagged finding that no rule decides -> why."""
    drift: Sequence[str]
    """What is found and not flagged, or flagged and not found."""


def compare(papers: Papers, checked: Mapping[str, Checked], known: Findings) -> Report:
    """What the rules found, beside what the flags say."""
    flagged = {place: tuple(FLAG.findall(number.flag)) for place, number in papers.numbers.items()}
    found = [
        Confirmed(_named(finding, papers, flagged, known), finding)
        for each in checked.values()
        for finding in each.findings
    ]
    names = sorted({name for names in flagged.values() for name in names}, key=_order)
    return Report(
        cases={rule: each.cases for rule, each in checked.items()},
        found=sorted(found, key=lambda each: _order(*each.findings)),
        undecided={name: known.undecided[name] for name in names if name in known.undecided},
        drift=[
            *(
                f"{place}: flag {number.flag!r} names no finding; begin it with audit <finding>:"
                for place, number in papers.numbers.items()
                if number.flag and not flagged[place]
            ),
            *_not_flagged(found),
            *_not_found(found, flagged, known),
        ],
    )


def _named(
    finding: Finding, papers: Papers, flagged: Mapping[Place, Sequence[str]], known: Findings
) -> tuple[str, ...]:
    """Findings that one of its cells is flagged with and that its rule decides; for a claim, those it names itself."""
    names = {name for place in finding.places for name in flagged[place] if known.decided.get(name) == finding.rule}
    if finding.claim:
        names &= set(papers.claims[finding.claim].finding)
    return tuple(sorted(names, key=_order))


def _not_flagged(found: Sequence[Confirmed]) -> list[str]:
    return [
        f"{each.finding.places[0]}: {each.finding.numbers}: {each.finding.judgement}: not flagged"
        for each in found
        if not each.findings
    ]


def _not_found(found: Sequence[Confirmed], flagged: Mapping[Place, Sequence[str]], known: Findings) -> list[str]:
    confirmed = {(place, name) for each in found for place in each.finding.places for name in each.findings}
    cells = [(place, name) for place, names in flagged.items() for name in names]
    missing = [name for name in known.decided if name not in {name for _, name in cells}]
    return [
        *(
            f"{place}: {name} is neither decided nor undecided in findings.yaml"
            for place, name in cells
            if name not in known.decided and name not in known.undecided
        ),
        *(
            f"{place}: flagged {name}, which the rule {known.decided[name]!r} does not find"
            for place, name in cells
            if name in known.decided and (place, name) not in confirmed
        ),
        *(f"{name}: decided by the rule {known.decided[name]!r}, and no cell is flagged" for name in missing),
    ]


def _order(*names: str) -> tuple[str, int]:
    """A2 before A10."""
    first = names[0] if names else "?"
    return first[0], int(first[1:] or 0)
