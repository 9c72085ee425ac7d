"""Test what a paper says of its numbers on ours: each part of a claim by an effect and its 95 % interval.

`claims` (CSV) has a line for every claim, its columns the fields of `Outcome`; `parts` (CSV) one for every pair of
cells that a claim compares, its columns those of `Trial`. Effects and intervals are at full precision. Scores are
compared on the same people, costs as independent measurements (`stages.evidence`); a number that the paper cites is
taken as exact but for its rounding, since nobody knows how it would move with other people. Where both are 0, nothing
has been learnt that could tell them apart, and the interval would be that of a difference known for certain.

The interval of a part is that of this part alone. A claim about seven joints is seven tests: one interval in twenty
leaves out the true effect, so that a claim of many parts is contradicted by chance more often than a claim of one; look
at the parts. It is supported only if every part stands by itself.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posetables.papers.claims import Known, Part, Place, Reading, Verdict, Word, judge, judge_all, read, read_all
from posetables.recipe import Params
from posetables.stages.cells import tally
from posetables.stages.evidence import Evidence, Number, printed, ratio, total

if TYPE_CHECKING:
    from posetables.recipe import Claim


class Trial(Params):
    """One part of a claim; empty where a thing is not known."""

    claim: str
    item: str
    left: str
    column: str
    right_item: str
    right: str
    right_column: str
    quantity: str
    """difference: left - right; ratio: left / right."""
    above: float
    """The claim says that the quantity lies between these."""
    below: float
    effect: float | None = None
    """The quantity in our numbers, and the ends of its 95 % interval."""
    low: float | None = None
    high: float | None = None
    verdict: Verdict
    reason: str = ""
    printed_effect: float | None
    """The quantity in the paper's own digits, and what they say."""
    printed: Word
    rounding: bool
    """Whether it does not hold as printed, and rounding alone may be why."""
    artifacts: str = ""
    """Files that the effect was read from."""


class Outcome(Params):
    """One claim: contradicted if any of its parts is, supported if all are, else undecided; missing or not comparable
    if no part can be tested."""

    claim: str
    says: str
    where: str
    finding: str
    """Of our audit of the paper."""
    verdict: Verdict
    parts: str
    """How many parts have which verdict."""
    missing: str
    """Rows that it rests on and for which there is no experiment."""
    printed: Word
    """What the paper's own digits say."""


def judge_claims(
    claims: Mapping[str, Claim],
    parts: Sequence[Part],
    known: Mapping[Place, Known],
    scale: str,
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `claims` and `parts`."""
    numbers = {place: each.printed for place, each in known.items() if each.printed is not None}
    evidence = Evidence(inputs)
    trials = [trial(part, known, scale, evidence, read(part, numbers)) for part in parts]
    outcomes = [outcome(name, claim, [each for each in trials if each.claim == name]) for name, claim in claims.items()]
    _write(outputs["parts"], Trial, trials)
    _write(outputs["claims"], Outcome, outcomes)
    return {"claims": len(outcomes), "verdicts": tally([each.verdict for each in outcomes])}


def outcome(name: str, claim: Claim, trials: Sequence[Trial]) -> Outcome:
    verdicts: list[Verdict] = [each.verdict for each in trials]
    return Outcome(
        claim=name,
        says=claim.says,
        where=claim.where,
        finding=" ".join(claim.finding),
        verdict=judge_all(verdicts),
        parts=", ".join(f"{count} {verdict}" for verdict, count in tally(verdicts).items()),
        missing="; ".join(dict.fromkeys(each.reason for each in trials if each.verdict == "missing")),
        printed=read_all([Reading(each.printed) for each in trials]),
    )


def trial(part: Part, known: Mapping[Place, Known], scale: str, evidence: Evidence, reading: Reading) -> Trial:
    """One part, as far as our numbers go."""
    found: dict[str, Any] = {}
    if (obstacle := _obstacle(part, known, scale)) is not None:
        found["verdict"], found["reason"] = obstacle
    else:
        found = _tested(part, *(_number(known[place], evidence) for place in (part.left, part.right)))
    return Trial(
        claim=part.claim,
        item=part.left.item,
        left=part.left.row,
        column=part.left.column,
        right_item=part.right.item,
        right=part.right.row,
        right_column=part.right.column,
        quantity=part.quantity,
        above=part.low,
        below=part.high,
        printed_effect=reading.effect,
        printed=reading.word,
        rounding=reading.excused,
        **found,
    )


def _tested(part: Part, left: Number, right: Number) -> dict[str, Any]:
    """What two numbers say of a part."""
    effect = ratio(left, right) if part.quantity == "ratio" else total((left, right), (1, -1))
    found: dict[str, Any] = {"artifacts": " ".join(effect.files)}
    if effect.draws is not None and left.value == right.value == 0:
        return found | {"verdict": "undecided", "reason": "neither scores anything"}
    found |= {"effect": effect.value, "low": effect.low, "high": effect.high}
    if len(effect.devices) > 1:
        return found | {"verdict": "not comparable", "reason": f"timed on {' and on '.join(sorted(effect.devices))}"}
    return found | {"verdict": judge(effect.low, effect.high, part)}


def _obstacle(part: Part, known: Mapping[Place, Known], scale: str) -> tuple[Verdict, str] | None:
    """Why there is nothing to test, if so. A number that the paper cites may stand against one of ours of the paper's
    recipe on the paper's people; a time never."""
    sides = [(place, known[place]) for place in (part.left, part.right)]
    for place, cell in sides:
        if not cell.sources and not cell.is_cited:
            return "missing", f"no experiment for {place.item}: {place.row}"
    cited = next((place for place, cell in sides if not cell.sources), None)
    ours = next((cell for _, cell in sides if cell.sources), None)
    if cited is None:
        return None
    if ours is None:
        return "missing", f"no experiment for {part.left.item}: {part.left.row}"
    if scale != "paper":
        return "not comparable", f"{cited.row} is cited; ours is of {scale} scale"
    if ours.proxy:
        return "not comparable", f"{cited.row} is cited; ours is of {ours.proxy}"
    if any(source.read == "cost" for source in ours.sources):
        return "not comparable", f"{cited.row} is cited; ours is of another device"
    return None


def _number(cell: Known, evidence: Evidence) -> Number:
    if not cell.sources and cell.printed is not None:
        return printed(cell.printed)
    return evidence(cell.sources)


def _write(path: Path, kind: type[Params], lines: Sequence[Params]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(kind.model_fields), lineterminator="\n")
        writer.writeheader()
        writer.writerows(line.model_dump() for line in lines)


def read_outcomes(path: Path) -> tuple[Outcome, ...]:
    with path.open(newline="") as file:
        return tuple(Outcome.model_validate(line) for line in csv.DictReader(file))


def read_trials(path: Path) -> tuple[Trial, ...]:
    numbers = ("effect", "low", "high", "printed_effect")
    with path.open(newline="") as file:
        return tuple(
            Trial.model_validate(line | {name: line[name] or None for name in numbers}) for line in csv.DictReader(file)
        )
