"""The thresholds of conditional testing: the best on labelled people, and what a test makes of them."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from posetables.data.trials import Found
from posetables.errors import InputError
from posetables.params import Recipes
from posetables.running.jobs import job_of
from posetables.running.requests import kind_of
from posetables.stages import calibrate as stage
from posetables.stages.artifacts import Artifacts
from posetables.stages.calibrate import Choice

if TYPE_CHECKING:
    from conftest import Project

EXPERIMENTS = "params/papers/hcrn/experiments.yaml"
HCRN = "hcrn/lsp-pc/vgg16-hcrn"
WAY = [HCRN, "--protocol", "again", "--scale", "mini"]
FOLDER = Path(f"results/mini/predictions/{HCRN}/seed0")
THRESHOLDS, MANIFEST = FOLDER / "again.thresholds.json", FOLDER / "again.thresholds.manifest.json"

CONDITIONAL = {"shifts": 0.1, "scales": [0.9, 1.1], "calibrate": "lsp/test", "quantiles": [0.0, 0.1, 0.5, 0.9]}


def add(project: Project, **changes: Any) -> None:
    """A protocol that looks for people again."""

    def change(content: dict[str, Any]) -> None:
        again = {"scales": [1.0], "flip": False, "blur": 0, "conditional": CONDITIONAL | changes}
        content["protocols"]["again"] = again
        content["setups"]["lsp-pc"]["protocols"] = ["pyramid3", "again"]

    project.edit(EXPERIMENTS, change)


# The choice

RANDOM = np.random.default_rng(1)
PASSES = Found(10 * RANDOM.random((3, 6, 2, 2)), RANDOM.random((3, 6, 2)))
QUANTILES = (0.0, 0.3, 0.5, 1.0)


def worth(joints: np.ndarray) -> float:
    """Joints near (5, 5), in per cent."""
    return 100 * float(np.mean(np.linalg.norm(joints - 5, axis=-1) < 2.5))


def quantile(values: list[float], share: float) -> float:
    """Linear between the values in order."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def tried_slowly(q: float, r: float) -> tuple[int, float]:
    """People looked for again, and what the poses are worth."""
    count, people, joints = PASSES.confidence.shape
    tau_c = [quantile([PASSES.confidence[0, i, j] for i in range(people)], q) for j in range(joints)]
    scores = [[PASSES.confidence[t, i].sum() / joints for i in range(people)] for t in range(count)]
    tau_s = quantile([score for each in scores for score in each], r)
    final, retried = PASSES.joints[0].copy(), 0
    for i in range(people):
        if any(PASSES.confidence[0, i, j] < tau_c[j] for j in range(joints)):
            retried += 1
            taken = [t for t in range(count) if scores[t][i] > tau_s] or [0]
            for j in range(joints):
                weights = [PASSES.confidence[t, i, j] for t in taken]
                places = [PASSES.joints[t, i, j] for t in taken]
                final[i, j] = sum(w * p for w, p in zip(weights, places, strict=True)) / sum(weights)
    return retried, worth(final)


def test_every_pair_of_quantiles_is_worth_what_plain_loops_make_of_it() -> None:
    found = stage.grid(PASSES, QUANTILES, worth)
    expected = [(q, r, *tried_slowly(q, r)) for q, r in itertools.product(QUANTILES, QUANTILES)]
    assert [tuple(choice) for choice in found] == [pytest.approx(each) for each in expected]
    assert len({choice.value for choice in found}) > 1


def test_what_is_worth_most_is_chosen_though_it_looks_for_more_people_again() -> None:
    assert stage.best([Choice(0.0, 0.5, 0, 80.0), Choice(0.5, 0.5, 9, 81.0)]).value == 81.0


def test_of_equals_that_which_looks_for_the_fewest_again_is_chosen() -> None:
    equals = [Choice(0.5, 0.1, 9, 80.0), Choice(0.1, 0.5, 2, 80.0), Choice(0.3, 0.5, 5, 80.0)]
    assert stage.best(equals).retried == 2


def test_the_lowest_quantile_looks_for_nobody_again() -> None:
    assert stage.grid(PASSES, [0.0], worth)[0].retried == 0


# What poses are worth


def test_poses_are_worth_the_share_of_joints_that_are_right(project: Project) -> None:
    recipe = Recipes().experiment(HCRN, "mini")
    crops = Artifacts(Recipes(), "mini").crop("lsp").outputs["crops"]
    table = pd.read_parquet(crops).query("split == 'test'")
    truth = np.stack(table["joints_pc"].tolist()).reshape(-1, 14, 2)
    value, column = stage.valuing(recipe, crops)
    half = truth.copy()
    half[: len(half) // 2] += 1000
    assert column == "Avg"
    assert (value(truth), value(half)) == (100, 50)


def test_people_without_labels_are_refused(project: Project) -> None:
    recipe = Recipes().experiment(HCRN, "mini")
    table = pd.read_parquet(Artifacts(Recipes(), "mini").crop("lsp").outputs["crops"])
    table["visible_pc"] = [np.zeros(14, np.int8)] * len(table)
    table.to_parquet("crops.parquet")
    with pytest.raises(InputError, match="crops.parquet: nobody of test has labels; give conditional.calibrate other"):
        stage.valuing(recipe, Path("crops.parquet"))


def test_a_metric_of_whole_people_is_refused(project: Project) -> None:
    recipe = Recipes().experiment(HCRN, "mini").model_copy(update={"metrics": ("oks",)})
    with pytest.raises(InputError, match="conditional: oks is not counted joint by joint; test everybody once"):
        stage.valuing(recipe, Path("crops.parquet"))


# Params


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"calibrate": "lsp/tset"}, "no split of lsp 'tset'; did you mean 'test'"),
        (
            {"calibrate": "flic/test"},
            "protocols.again.conditional.calibrate: flic/test has the joints of flic, not lsp",
        ),
        ({"quantiles": [0.5, 5]}, "protocols.again.conditional: quantiles: 5.0 is no share; give numbers from 0 to 1"),
        ({"quantiles": []}, "protocols.again.conditional.quantiles: "),
        ({"shifts": 0.6}, "protocols.again.scales: regions reach 2.20 sides of the box, stored crops 2.03; give less"),
    ],
)
def test_a_conditional_test_that_cannot_be_is_refused(project: Project, changes: dict[str, Any], told: str) -> None:
    add(project, **changes)
    if "flic" in str(changes):  # has the joints of FLIC under the labels of LSP
        project.edit("params/datasets/flic.yaml", lambda source: source.update(labels=["pc", "oc"]))
    with pytest.raises(InputError, match=told):
        Recipes().experiment(HCRN, "mini")


def test_a_protocol_that_tests_everybody_once_has_nothing_to_calibrate(project: Project) -> None:
    line = project.refusal("calibrate", HCRN, "--scale", "mini")
    assert f"{HCRN}: protocol pyramid3 has no key conditional, so nothing to calibrate" in line


# The stage


def test_thresholds_move_with_their_quantiles_and_take_predictions_with_them(project: Project) -> None:
    def identities() -> tuple[str, ...]:
        artifacts = Artifacts(Recipes(), "mini")
        return (
            artifacts.train(HCRN, "main", 0).identity,
            artifacts.predict(HCRN, "pyramid3", 0).identity,
            artifacts.calibrate(HCRN, "again", 0).identity,
            artifacts.predict(HCRN, "again", 0).identity,
        )

    add(project)
    before = identities()
    add(project, quantiles=[0.5])
    assert [a == b for a, b in zip(before, identities(), strict=True)] == [True, True, False, False]


def test_the_job_is_known_by_its_rule_and_asks_for_what_a_test_asks_for(project: Project) -> None:
    add(project)
    artifact = Artifacts(Recipes(), "mini").calibrate(HCRN, "again", 0)
    assert job_of(artifact).rule.name == "calibrate_thresholds"
    assert job_of(artifact).log == Path(f"logs/mini/calibrate/{HCRN}/seed0/again.log")
    assert kind_of(artifact) == "predict"


@pytest.fixture
def calibrated(with_table: Project) -> Project:
    add(with_table)
    with_table.run("calibrate", *WAY)
    return with_table


def facts(manifest: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(manifest.read_text())["facts"]
    return found


def test_a_test_of_the_same_people_is_worth_what_the_thresholds_were_chosen_for(calibrated: Project) -> None:
    told = json.loads(THRESHOLDS.read_text())
    for verb in ("predict", "score"):
        calibrated.run(verb, *WAY)
    score = json.loads(Path(f"results/mini/scores/{HCRN}/seed0/again.json").read_text())
    assert told["metric"] == ["pck", "Avg"]
    assert score["pck"]["Avg"]["value"] == pytest.approx(told["chosen"]["value"])
    assert facts(FOLDER / "again.manifest.json")["retried"] == told["chosen"]["retried"]


def test_the_thresholds_are_written_with_all_that_was_tried(calibrated: Project) -> None:
    told = json.loads(THRESHOLDS.read_text())
    assert len(told["thresholds"]["confidence"]) == 14
    assert len(told["grid"]) == 16
    assert told["chosen"] in told["grid"]
    assert max(each["value"] for each in told["grid"]) == told["chosen"]["value"]
    assert told["people"] == facts(MANIFEST)["people"] == 4


def test_the_same_people_and_weights_give_the_same_bytes(calibrated: Project) -> None:
    before = THRESHOLDS.read_bytes()
    MANIFEST.unlink()
    calibrated.run("calibrate", *WAY)
    assert THRESHOLDS.read_bytes() == before


def test_whoever_is_looked_for_again_has_another_pose_and_nobody_else(calibrated: Project) -> None:
    add(calibrated, quantiles=[0.5])  # half of the people, joint by joint, and no other choice
    for verb in ("calibrate", "predict"):
        calibrated.run(verb, *WAY)
    again = pd.read_parquet(FOLDER / "again.parquet")
    calibrated.edit(EXPERIMENTS, lambda content: content["protocols"]["again"].pop("conditional"))
    calibrated.run("predict", *WAY)
    once = pd.read_parquet(FOLDER / "again.parquet")
    thresholds = json.loads(THRESHOLDS.read_text())["thresholds"]["confidence"]
    below = [(scores < list(thresholds.values())).any() for scores in once["scores"]]
    kept = [(a == b).all() for a, b in zip(once["joints"], again["joints"], strict=True)]
    assert any(below)
    assert all(same for same, missed in zip(kept, below, strict=True) if not missed)
    assert not all(kept)


def test_without_thresholds_a_test_says_what_to_run(with_table: Project) -> None:
    add(with_table)
    assert with_table.refusal("predict", *WAY) == (
        f"posetables: {MANIFEST}: missing or unreadable; run: snakemake {MANIFEST}"
    )


def test_thresholds_that_were_removed_are_told_with_what_to_run(calibrated: Project) -> None:
    THRESHOLDS.unlink()
    assert f"{THRESHOLDS}: missing, though recorded; delete {MANIFEST} and run snakemake again" in calibrated.refusal(
        "predict", *WAY
    )


def test_a_calibration_that_is_stopped_leaves_nothing_that_looks_finished(
    with_table: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(with_table)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stage, "grid", stopped)
        with pytest.raises(KeyboardInterrupt):
            with_table.run("calibrate", *WAY)
    assert not THRESHOLDS.exists()
    assert f"run: snakemake {MANIFEST}" in with_table.refusal("predict", *WAY)


def test_a_whole_test_is_timed_with_its_second_look(calibrated: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from posetables.stages import speed

    monkeypatch.setattr(speed, "WARM", 0)
    calibrated.run("fetch", "lsp", "--images", "--scale", "mini")
    calibrated.run("speed", *WAY)
    inputs = json.loads(Path(f"results/mini/scores/{HCRN}/again.speed.manifest.json").read_text())["inputs"]
    assert {"thresholds", "weights"} <= inputs.keys()
