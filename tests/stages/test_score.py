"""Scoring: the columns of the papers' tables, of the people that were asked for and of nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.errors import InputError
from posetables.params import Recipes
from posetables.stages import score as stage
from posetables.stages.artifacts import Artifacts

if TYPE_CHECKING:
    from conftest import Project


@pytest.fixture
def truth(project: Project) -> pd.DataFrame:
    table = pd.read_parquet("data/prepared/mini/lsp/people.parquet").query("split == 'test'")
    return table.reset_index(drop=True)


@pytest.fixture
def score(project: Project) -> Callable[[pd.DataFrame], dict[str, Any]]:
    def run(predictions: pd.DataFrame) -> dict[str, Any]:
        predictions.to_parquet("predictions.parquet")
        artifacts = Artifacts(Recipes(), "mini")
        inputs = {
            "people": artifacts.annotate("lsp").outputs,
            "predictions": {"predictions": Path("predictions.parquet")},
        }
        stage.score(
            Recipes().experiment("hcrn/lsp-pc/hg", "mini"),
            inputs,
            {"scores": Path("scores.json"), "hits": Path("hits.parquet")},
        )
        return json.loads(Path("scores.json").read_text())

    return run


def predictions(truth: pd.DataFrame, joints: np.ndarray | None = None) -> pd.DataFrame:
    found = pd.DataFrame({"person": truth["person"]})
    found["joints"] = truth["joints_pc"] if joints is None else list(joints.reshape(len(truth), -1))
    return found


def positions(truth: pd.DataFrame) -> np.ndarray:
    return np.stack(truth["joints_pc"].tolist()).reshape(-1, 14, 2)


def test_perfect_predictions_score_100_in_every_column(truth: pd.DataFrame, score: Any) -> None:
    scores = score(predictions(truth))
    assert list(scores["pck"]) == ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Avg"]
    assert list(scores["pcp"]) == ["Torso", "Upper leg", "Lower leg", "Upper arm", "Forearm", "Head", "Total"]
    for columns in scores.values():
        assert all(set(column.values()) == {100.0} for column in columns.values())


def test_one_lost_wrist_of_four_people_costs_its_columns_and_no_other(truth: pd.DataFrame, score: Any) -> None:
    joints = positions(truth).copy()
    joints[2, LSP.index("left wrist")] += 1000
    scores = score(predictions(truth, joints))
    lost = {name: column["value"] for name, column in scores["pck"].items() if column["value"] < 100}
    assert lost == pytest.approx({"Wrist": 100 * 7 / 8, "Avg": 100 * (14 * 4 - 1) / (14 * 4)})
    lost = {name: column["value"] for name, column in scores["pcp"].items() if column["value"] < 100}
    assert lost == pytest.approx({"Forearm": 100 * 7 / 8, "Total": 100 * (10 * 4 - 1) / (10 * 4)})


def test_what_each_person_adds_gives_the_columns_back(truth: pd.DataFrame, score: Any) -> None:
    joints = positions(truth).copy()
    joints[2, LSP.index("left wrist")] += 1000
    scores = score(predictions(truth, joints))
    hits = pd.read_parquet("hits.parquet")
    assert hits["person"].tolist() == truth["person"].tolist()
    assert 100 * np.stack(hits["pck"].tolist()).mean() == pytest.approx(scores["pck"]["Avg"]["value"])
    assert 100 * np.stack(hits["pcp"].tolist()).mean() == pytest.approx(scores["pcp"]["Total"]["value"])


@pytest.mark.parametrize(("share", "value"), [(0.19, 100.0), (0.21, 0.0)])
def test_a_joint_counts_within_a_fifth_of_the_torsos_diagonal(
    truth: pd.DataFrame, score: Any, share: float, value: float
) -> None:
    joints = positions(truth)
    torso = np.linalg.norm(joints[:, LSP.index("left shoulder")] - joints[:, LSP.index("right hip")], axis=-1)
    moved = joints + share * torso[:, None, None] * np.array([0.6, 0.8])
    assert score(predictions(truth, moved))["pck"]["Avg"]["value"] == value


@pytest.mark.parametrize(
    "change",
    [lambda found: found[1:], lambda found: found[::-1], lambda found: pd.concat([found, found[:1]])],
    ids=["one missing", "another order", "one twice"],
)
def test_predictions_of_other_people_are_refused(truth: pd.DataFrame, score: Any, change: Any) -> None:
    with pytest.raises(InputError, match="predictions.parquet: person: not the people of test; predict again"):
        score(change(predictions(truth)).reset_index(drop=True))


@pytest.mark.parametrize("given", [slice(None), slice(1, None)], ids=["predicted all the same", "not predicted"])
def test_a_person_without_labels_counts_for_nothing(truth: pd.DataFrame, score: Any, given: slice) -> None:
    path = Path("data/prepared/mini/lsp/people.parquet")
    people = pd.read_parquet(path)
    people.at[people.index[people["split"] == "test"][0], "visible_pc"] = np.zeros(14, np.int8)
    people.to_parquet(path, index=False)
    wrong = positions(truth)
    wrong[0] += 1e4
    assert score(predictions(truth, wrong)[given].reset_index(drop=True))["pck"]["Avg"]["value"] == 100
