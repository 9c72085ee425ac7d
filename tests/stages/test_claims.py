"""Claims on made-up people, whose answers are known: a shift that is certain, one that is nothing, and what cannot be
compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from posetables.cli import main
from posetables.errors import InputError
from posetables.papers.claims import Known, Part, Place
from posetables.papers.published import Published
from posetables.recipe import Claim, Source
from posetables.stages.claims import Outcome, Trial, judge_claims, read_outcomes, read_trials
from posetables.stages.evidence import Evidence, Number, ratio, total

if TYPE_CHECKING:
    from conftest import Project

PEOPLE = 200
A, B = Place("hcrn_table1", "A", "Avg"), Place("hcrn_table1", "B", "Avg")
CLAIM = Claim.model_validate(
    {
        "says": "A beats B",
        "where": "IV",
        "holds": [{"item": "t", "left": "A", "right": "B", "columns": "all", "ratio": [0, 1]}],
    }
)
MORE = Part("a-beats-b", A, B, "difference", 0, float("inf"))


def cell(place: Place, read: str | None, kind: str = "own", printed: str = "50.0", proxy: str | None = None) -> Known:
    """A cell whose number is read from a file of the experiment that its row is called after, or from none."""
    key = {"score": ("pck", "Avg"), "seconds": ("seconds",), "parameters": ("parameters",)}
    name = f"hcrn/lsp-pc/{place.row}"
    file: Any = "score" if read == "score" else "cost"
    source = {"experiment": name, "protocol": "one", "skeleton": "lsp", "factor": 1.0, "read": file}
    sources = [Source.model_validate(source | {"key": key[read]})] if read else []
    return Known(Published(*place, printed, kind, "LSP", "test", "PCK@0.2 PC", "", ""), sources, proxy)


class Bench:
    """Files of two experiments, and what becomes of the claim that A beats B."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inputs: dict[str, dict[str, Path]] = {}

    def scored(self, name: str, hits: np.ndarray, people: Sequence[str] | None = None) -> None:
        """hits: (N,), one for all joints of a person."""
        path = self.folder / f"{name}.hits.parquet"
        rows = [row.tolist() for row in np.repeat(hits[:, None], 14, 1).astype(float)]
        pd.DataFrame({"person": people or [f"lsp/{i}" for i in range(len(hits))], "pck": rows}).to_parquet(path)
        self.inputs[f"score:hcrn/lsp-pc/{name}/one"] = {"hits": path}

    def costs(
        self, name: str, seconds: tuple[float, float, float], parameters: int = 1, device: str = "an abacus"
    ) -> None:
        path = self.folder / f"{name}.cost.json"
        time = dict(zip(("value", "low", "high"), seconds, strict=True))
        path.write_text(json.dumps({"seconds": time, "parameters": {"value": parameters}, "device": device}))
        self.inputs[f"cost:hcrn/lsp-pc/{name}"] = {"cost": path}

    def judge(self, left: Known, right: Known, part: Part = MORE, scale: str = "mini") -> tuple[Outcome, Trial]:
        outputs = {"claims": self.folder / "claims.csv", "parts": self.folder / "parts.csv"}
        judge_claims({"a-beats-b": CLAIM}, [part], {A: left, B: right}, scale, self.inputs, outputs)
        (outcome,), (tested,) = read_outcomes(outputs["claims"]), read_trials(outputs["parts"])
        return outcome, tested


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def some(share: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(PEOPLE) < share


# Scores


def test_a_certain_shift_is_supported_with_its_effect(bench: Bench) -> None:
    base = np.arange(PEOPLE) < 100
    bench.scored("A", base | (np.arange(PEOPLE) >= 160))
    bench.scored("B", base)
    outcome, tested = bench.judge(cell(A, "score"), cell(B, "score"))
    assert (outcome.verdict, outcome.parts) == ("supported", "1 supported")
    assert tested.effect == pytest.approx(20.0)  # 40 of 200 people
    # Of a binomial of 200 and .2: 2.83 points of standard deviation.
    assert tested.low == pytest.approx(20 - 1.96 * 2.83, abs=1)
    assert tested.high == pytest.approx(20 + 1.96 * 2.83, abs=1)


def test_the_opposite_shift_is_contradicted(bench: Bench) -> None:
    bench.scored("A", some(0.5) & some(0.5, seed=2))
    bench.scored("B", some(0.5))
    assert bench.judge(cell(A, "score"), cell(B, "score"))[0].verdict == "contradicted"


def test_two_networks_that_nobody_tells_apart_are_undecided(bench: Bench) -> None:
    for name in ("A", "B"):
        bench.scored(name, some(0.5))
    outcome, tested = bench.judge(cell(A, "score"), cell(B, "score"))
    assert (outcome.verdict, tested.effect, tested.low, tested.high) == ("undecided", 0, 0, 0)


def test_as_many_people_for_one_as_for_the_other_are_undecided(bench: Bench) -> None:
    bench.scored("A", np.arange(PEOPLE) % 10 == 0)
    bench.scored("B", np.arange(PEOPLE) % 10 == 1)
    assert bench.judge(cell(A, "score"), cell(B, "score"))[0].verdict == "undecided"


def test_two_networks_that_find_nobody_are_undecided_whatever_the_claim_says_of_their_difference(bench: Bench) -> None:
    bench.scored("A", np.zeros(PEOPLE))
    bench.scored("B", np.zeros(PEOPLE))
    five_points = Part("a-beats-b", A, B, "difference", 4.95, 5.05)
    _, tested = bench.judge(cell(A, "score"), cell(B, "score"), five_points)
    assert (tested.verdict, tested.reason, tested.effect) == ("undecided", "neither scores anything", None)


def test_the_same_people_give_a_tighter_interval_than_two_groups_of_people(bench: Bench) -> None:
    bench.scored("A", some(0.5) | some(0.05, seed=2))
    bench.scored("B", some(0.5))
    evidence = Evidence(bench.inputs)
    left, right = (evidence(cell(place, "score").sources) for place in (A, B))
    paired = total((left, right), (1, -1))
    unpaired = total([replace(each, draws=None) for each in (left, right)], (1, -1))
    assert paired.value == unpaired.value
    assert paired.high - paired.low < 0.5 * (unpaired.high - unpaired.low)


@pytest.mark.parametrize(
    "people", [[f"flic/{i}" for i in range(PEOPLE)], [f"lsp/{i}" for i in reversed(range(PEOPLE))]]
)
def test_other_people_or_another_order_are_refused(bench: Bench, people: list[str]) -> None:
    bench.scored("A", some(0.5))
    bench.scored("B", some(0.5), people)
    with pytest.raises(InputError, match=r"B\.hits\.parquet: person: not the people of .*A\.hits\.parquet"):
        bench.judge(cell(A, "score"), cell(B, "score"))


def test_a_joint_that_is_not_labelled_is_not_counted(bench: Bench) -> None:
    hits = some(0.5).astype(float)
    hits[:100] = np.nan
    bench.scored("A", hits)
    bench.scored("B", np.zeros(PEOPLE))
    tested = bench.judge(cell(A, "score"), cell(B, "score"))[1]
    assert tested.effect == pytest.approx(100 * hits[100:].mean())


# Costs


def test_independent_intervals_are_joined_by_their_squares(bench: Bench) -> None:
    bench.costs("A", (1.0, 0.7, 1.3))
    bench.costs("B", (0.5, 0.1, 0.9))
    tested = bench.judge(cell(A, "seconds"), cell(B, "seconds"))[1]
    assert (tested.effect, tested.low, tested.high) == pytest.approx((0.5, 0.0, 1.0))  # a triangle of .3, .4 and .5


def test_a_ratio_of_times_is_that_of_their_logarithms() -> None:
    found = ratio(Number(8, 4, 16), Number(2, 2, 2))
    assert (found.value, found.low, found.high) == pytest.approx((4, 2, 8))


def test_a_count_is_exact(bench: Bench) -> None:
    for name, parameters in (("A", 98), ("B", 4_829_615)):
        bench.costs(name, (1, 1, 1), parameters)
    few = replace(MORE, quantity="ratio", high=0.001)
    outcome, tested = bench.judge(cell(A, "parameters"), cell(B, "parameters"), few)
    assert (outcome.verdict, tested.low) == ("supported", tested.high)


def test_times_of_two_devices_are_not_compared(bench: Bench) -> None:
    bench.costs("A", (1, 1, 1))
    bench.costs("B", (2, 2, 2), device="a slide rule")
    outcome, tested = bench.judge(cell(A, "seconds"), cell(B, "seconds"))
    assert (outcome.verdict, tested.reason) == ("not comparable", "timed on a slide rule and on an abacus")


# What there is nothing to compare with


def test_a_row_without_an_experiment_is_missing_and_named(bench: Bench) -> None:
    outcome, tested = bench.judge(cell(A, None), cell(B, None))
    assert (outcome.verdict, outcome.missing) == ("missing", "no experiment for hcrn_table1: A")
    assert (tested.effect, outcome.printed) == (None, "does not hold")  # a tie


def test_a_cited_row_is_compared_at_the_scale_of_the_paper_only(bench: Bench) -> None:
    bench.scored("A", np.arange(PEOPLE) < 150)
    cited = cell(B, None, "cited")
    assert bench.judge(cell(A, "score"), cited)[0].verdict == "not comparable"
    outcome, tested = bench.judge(cell(A, "score"), cited, scale="paper")
    assert (outcome.verdict, tested.effect) == ("supported", pytest.approx(25))


def test_a_cited_row_is_not_compared_with_another_split(bench: Bench) -> None:
    bench.scored("A", some(0.5))
    left = cell(A, "score", proxy="MPII validation")
    outcome, tested = bench.judge(left, cell(B, None, "cited"), scale="paper")
    assert (outcome.verdict, "MPII validation" in tested.reason) == ("not comparable", True)


def test_a_cited_time_is_never_compared(bench: Bench) -> None:
    bench.costs("A", (1, 1, 1))
    outcome, _ = bench.judge(cell(A, "seconds"), cell(B, None, "cited"), scale="paper")
    assert outcome.verdict == "not comparable"


# The verb


MINI = ("--scale", "mini")
COUNTED = ("hg-hcrn", "hg", "cpm-3-stage", "cpm-2-stage")


def test_the_verb_tests_claims_on_what_was_measured(project: Project) -> None:
    file = "params/papers/hcrn/claims.yaml"
    project.edit(file, lambda claims: [claims.pop(name) for name in [*claims] if name != "few-parameters"])
    assert "snakemake results/mini/scores/hcrn/lsp-pc/" in project.refusal("claims", "hcrn", *MINI)
    for name in COUNTED:
        project.run("measure", f"hcrn/lsp-pc/{name}", *MINI)
    project.run("claims", "hcrn", *MINI)
    costs = [json.loads(Path(f"results/mini/scores/hcrn/lsp-pc/{name}/cost.json").read_text()) for name in COUNTED]
    hcrn, hg, third, second = (cost["parameters"]["value"] for cost in costs)
    (tested,) = read_trials(Path("results/mini/claims/hcrn.parts.csv"))
    assert tested.effect == pytest.approx((hcrn - hg) / (third - second))
    assert project.run("claims", "hcrn", *MINI)[-1].endswith(": up to date")
    project.replace(file, "0.001", "0.002")
    assert not project.run("claims", "hcrn", *MINI)[-1:]


def test_the_papers_are_checked_without_any_result(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.run("papers", "check", "--json")
    project.replace("params/papers/hcrn/published.csv", "audit A8: ", "audit A9: ")
    assert main(["papers", "check"]) == 1
    assert "not in step with the flags" in capsys.readouterr().out
