"""Whether the numbers that the papers print agree: what arithmetic alone can find, rule by rule.

A rule names the cells that cannot all be right, or do not mean what they seem to; which of them is wrong it does not
know. Rounding is allowed for exactly: two numbers disagree only if no digits behind the printed ones could make them
agree (`rounding.Rounded.meets`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from posetables.papers.claims import Part, Place, parts, read
from posetables.papers.entries import Entry, Papers, Row, combined
from posetables.papers.rounding import Rounded, total

STICKS = {"Torso": 1, "Upper leg": 2, "Lower leg": 2, "Upper arm": 2, "Forearm": 2, "Head": 1}
"""How many of the ten sticks of PCP a column averages."""

MPII = {"Head": 1526, "Shoulder": 1532, "Elbow": 1527, "Wrist": 1519, "Hip": 1503, "Knee": 1291, "Ankle": 1102}
"""Share of each joint, in ten thousandths, among those annotated in the 2,958 validation people. Those of the test
people are not public; the rows of the test set all fit these to half a unit of the last digit."""

COPIED = 3
"""So many columns of a method may not have one value on two splits: for one, chance gives a few in a hundred."""

ORDER = (("APM", "AP"), ("AP", "APL"), ("AP", "AP75"), ("AP75", "AP50"))
"""The first is less: by definition only in the last pair; but large people are easier, and half of the ten thresholds
of AP are above .75, in every table of COCO."""


@dataclass(frozen=True)
class Finding:
    """Cells that do not agree, by one rule."""

    rule: str
    places: tuple[Place, ...]
    numbers: str
    judgement: str
    claim: str = ""
    """`<paper>/<claim>`, where a claim does not hold."""


@dataclass(frozen=True)
class Checked:
    """What one rule found, and in how many cases it looked."""

    cases: int
    findings: tuple[Finding, ...]


def check(papers: Papers) -> Mapping[str, Checked]:
    """Rule -> what it found."""
    found = {}
    for name, rule in RULES.items():
        cases = list(rule(papers))
        found[name] = Checked(len(cases), tuple(case for case in cases if case is not None))
    return found


Cases = Iterator[Finding | None]
"""None for each case in which all is well."""


def total_differs(papers: Papers) -> Cases:
    """A total or average does not follow from the columns of its row."""
    for table in papers.tables.values():
        if table.total is None:
            continue
        key = table.columns[table.total.column].key
        for row in table.rows:
            of_row = papers.rows.get((table.name, row), ())
            columns = {entry.key[-1]: entry for entry in of_row if entry.key[0] == key[0]}
            printed = columns.pop(key[-1], None)
            weights = {"mean": dict.fromkeys(columns, 1), "sticks": STICKS, "mpii": MPII}[table.total.rule]
            if printed is None or not columns.keys() >= weights.keys():
                continue
            terms = [columns[name].number for name in weights]
            expected = total(terms, [Fraction(weight, sum(weights.values())) for weight in weights.values()])
            yield _unless(
                expected.meets(printed.number), "total", printed.places,
                f"printed {printed.text}, columns give {float(expected.value):.2f}",
                f"rounding explains less than {float(expected.slack + printed.number.slack):.2g}",
            )  # fmt: skip


def method_differs(papers: Papers) -> Cases:
    """One method has different numbers for the same thing."""
    for name, entries in papers.of_methods.items():
        for group in _groups(entries):
            meet = all(one.number.meets(other.number) for one, other in combinations(group, 2))
            numbers = "; ".join(map(str, group))
            yield _unless(meet, "method", _places(group), numbers, f"{group[0].key[-1]} of {name} differs")


def copied(papers: Papers) -> Cases:
    """In one paper, a row repeats the numbers that its method has on another split."""
    for name, entries in papers.of_methods.items():
        for one, other in combinations(_by_item(entries), 2):
            pairs = [(a, b) for a in one for b in other if a.is_like(b) and a.split != b.split]
            if pairs and _paper(one[0]) == _paper(other[0]):
                same = [pair for pair in pairs if pair[0].number == pair[1].number]
                numbers = ", ".join(a.text for a, _ in same)
                judgement = f"{len(same)} of {len(pairs)} columns of {name} are those of {other[0].places[0].item}"
                yield _unless(
                    len(same) < COPIED, "copied", _places(e for pair in same for e in pair), numbers, judgement
                )


def identical(papers: Papers) -> Cases:
    """Two methods have the same digits throughout, in two columns or more."""
    methods = [{place[:2] for entry in entries for place in entry.places} for entries in papers.of_methods.values()]
    for (one, first), (other, second) in combinations(papers.rows.items(), 2):
        pairs = [(a, b) for a in first for b in second if a.split == b.split and a.is_like(b)]
        if len(pairs) > 1 and not any({one, other} <= rows for rows in methods):
            same = all(a.number == b.number for a, b in pairs)
            numbers = ", ".join(a.text for a, _ in pairs)
            judgement = f"{one[0]}: {one[1]} and {other[0]}: {other[1]} cannot be told apart"
            yield _unless(not same, "identical", _places(e for pair in pairs for e in pair), numbers, judgement)


def reversed_order(papers: Papers) -> Cases:
    """Of two methods, one is ahead on one split and the other on another."""
    splits = {name: _by_split(entries) for name, entries in papers.of_methods.items()}
    for (one, first), (other, second) in combinations(splits.items(), 2):
        for here, there in combinations(sorted({*first} & {*second}), 2):
            for key, a in first[here].items():
                b, c, d = (row.get(key) for row in (second[here], first[there], second[there]))
                if b and c and d and a.is_like(b) and a.is_like(c) and a.is_like(d):
                    turned = _ahead(a.number, b.number) * _ahead(c.number, d.number) < 0
                    numbers = f"{a.text} and {b.text}; {c.text} and {d.text}"
                    judgement = f"{one} and {other} change places between {here} and {there}"
                    yield _unless(not turned, "reversed", _places([a, b, c, d]), numbers, judgement)


def out_of_order(papers: Papers) -> Cases:
    """Columns of COCO stand in another order of size than in every other row."""
    for entries in papers.rows.values():
        row = {entry.key[1]: entry for entry in entries if entry.key[0] == "oks"}
        if all(name in row for pair in ORDER for name in pair):
            turned = [f"{b} < {a}" for a, b in ORDER if row[b].number.value < row[a].number.value]
            ordered = [row[name] for name in dict.fromkeys(name for pair in ORDER for name in pair)]
            numbers = ", ".join(f"{entry.key[1]} {entry.text}" for entry in ordered)
            yield _unless(not turned, "order", _places(ordered), numbers, ", ".join(turned))


def derived_differs(papers: Papers) -> Cases:
    """A printed sum or difference does not follow from the rows that it is made of."""
    for table in papers.tables.values():
        for row in table.rows:
            for entry in papers.rows.get((table.name, row), ()):
                terms = table.terms(row, entry.places[0].column)
                if len(terms) < 2:
                    continue
                found = [_of_experiment(papers, experiment, entry.key) for experiment in terms]
                if all(found):
                    factors = [Fraction(factor).limit_denominator(1000) for factor in terms.values()]
                    made = combined([each for each in found if each], factors)
                    numbers = f"printed {entry.text}, tables give {made.text}"
                    slack = float(made.number.slack + entry.number.slack)
                    judgement = f"rounding explains less than {slack:.2g}"
                    yield _unless(made.number.meets(entry.number), "derived", entry.places, numbers, judgement)


def claim_fails(papers: Papers) -> Cases:
    """What the text says does not hold in the tables; one case for each cell that it is said of."""
    for name, claim in papers.claims.items():
        said: dict[Place, list[Part]] = {}
        for part in parts(name, claim, papers.tables, papers.numbers):
            said.setdefault(part.left, []).append(part)
        for left, about in said.items():
            readings = {part: read(part, papers.numbers) for part in about}
            failing = [part for part, reading in readings.items() if reading.word == "does not hold"]
            if not failing:
                yield None
                continue
            against = ", ".join(f"{papers.numbers[part.right].printed} ({part.right.row})" for part in failing)
            excused = all(readings[part].excused for part in failing)
            yield Finding(
                rule="claim",
                places=tuple(dict.fromkeys(place for part in failing for place in part.places)),
                numbers=f"{papers.numbers[left].printed} against {against}",
                judgement=f"not so: {claim.says}" + ("; rounding alone may be why" if excused else ""),
                claim=name,
            )


RULES: Mapping[str, Callable[[Papers], Cases]] = {
    "total": total_differs,
    "method": method_differs,
    "copied": copied,
    "identical": identical,
    "reversed": reversed_order,
    "order": out_of_order,
    "derived": derived_differs,
    "claim": claim_fails,
}


def _unless(well: bool, rule: str, places: tuple[Place, ...], numbers: str, judgement: str) -> Finding | None:
    return None if well else Finding(rule, places, numbers, judgement)


def _places(entries: Iterable[Entry]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(place for entry in entries for place in entry.places))


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Entries that should have one value, where there are several of them in different tables."""
    groups: list[list[Entry]] = []
    for entry in entries:
        for group in groups:
            if all(entry.split == other.split and entry.is_like(other) for other in group):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return [group for group in groups if len({entry.places[0].item for entry in group}) > 1]


def _by_item(entries: Sequence[Entry]) -> list[list[Entry]]:
    items: dict[str, list[Entry]] = {}
    for entry in entries:
        items.setdefault(entry.places[0].item, []).append(entry)
    return list(items.values())


def _paper(entry: Entry) -> str:
    return entry.places[0].item.partition("_")[0]


def _by_split(entries: Sequence[Entry]) -> Mapping[str, Row]:
    """Data set and split -> key -> a method's number."""
    found: dict[str, dict[tuple[str, ...], Entry]] = {}
    for entry in entries:
        found.setdefault(f"{entry.dataset} {entry.split}", {}).setdefault(entry.key, entry)
    return found


def _ahead(one: Rounded, other: Rounded) -> int:
    """1 or -1 where one is more or less than the other whatever rounding did, else 0."""
    if one.meets(other):
        return 0
    return 1 if one.value > other.value else -1


def _of_experiment(papers: Papers, experiment: str, key: tuple[str, ...]) -> Entry | None:
    return next((entry for entry in papers.of_methods.get(experiment, ()) if entry.key == key), None)
