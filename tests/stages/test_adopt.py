"""Published predictions on LSP, taken and scored by the stages, score what was found for them outside this package.

In lsp_rescored_cells.csv `paper` is what the paper prints, `rescored` what the released predictions score.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import scipy.io

from posetables.data.readers import lsp
from posetables.data.releases import READERS
from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.errors import InputError
from posetables.params import Recipes
from posetables.recipe import ScaleName
from posetables.stages.adopt import adopt
from posetables.stages.artifacts import Artifacts
from posetables.stages.scoring import HITS, METRICS, Pairs

if TYPE_CHECKING:
    from conftest import Project

YANG = "released/lsp-pc/yang16"
PARAMS = Path(__file__).parents[2] / "params"
CELLS = Path(__file__).with_name("lsp_rescored_cells.csv")
MIRROR = Path(os.environ.get("POSETABLES_MIRROR", ""))
PCK = dict(zip(("Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank", "Avg"), [*LSP.groups, "Avg"], strict=True))
PCP = dict(zip(("Torso", "ULeg", "LLeg", "UArm", "FArm", "Head", "Total"), [*LSP.sticks, "Total"], strict=True))


def rows() -> dict[tuple[str, str], list[dict[str, str]]]:
    found = defaultdict(list)
    with CELLS.open(encoding="utf-8", newline="") as file:
        for cell in csv.DictReader(file):
            found[cell["table"], cell["row"]].append(cell)
    return found


ROWS = rows()


def release_of(source: str, setting: str) -> str:
    """Our name of the file that the outside source calls by its folder."""
    folder = "WeiCVPR16_LSPonly" if source == "CPM_LSP" else source
    names = {name: each.file for name, each in Recipes(PARAMS)._releases.items()}
    (name,) = (name for name, file in names.items() if file.startswith(f"{folder}/") and f"lsp-{setting}/" in name)
    return name


@cache
def truth(setting: str) -> np.ndarray:
    return lsp.read(MIRROR / "lsp", {"test": (1001, 2000)}).labels[setting].joints


@cache
def scored(source: str, setting: str, metric: str) -> Mapping[str, float]:
    release = Recipes(PARAMS).release(release_of(source, setting))
    found = READERS[release.layout](MIRROR / "lsp_predictions" / release.file)
    pairs = Pairs(np.arange(1000), found, truth(setting), np.ones((1000, 14), bool), {})
    groups = METRICS[metric].groups(LSP)
    columns = METRICS[metric].columns(HITS[METRICS[metric].hits](pairs, LSP), list(groups.values()), None)
    return dict(zip(groups, columns.tolist(), strict=True))


@pytest.mark.skipif(
    not os.environ.get("POSETABLES_MIRROR") or not (MIRROR / "lsp_predictions").is_dir(),
    reason="needs published predictions: set POSETABLES_MIRROR to a folder that holds lsp/ and lsp_predictions/",
)
@pytest.mark.parametrize(("table", "row"), ROWS, ids="/".join)
def test_published_predictions_score_as_found_outside(table: str, row: str) -> None:
    cells = ROWS[table, row]
    metric, names = cells[0]["metric"], {"PCK": PCK, "PCP": PCP}[cells[0]["metric"]]
    found = scored(cells[0]["prediction_source"], cells[0]["setting"].lower(), metric.lower())
    # Three decimals are on file, and one joint of one person would move a column by .05.
    expected = {names[cell["column"]]: float(cell["rescored"]) for cell in cells}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=6e-4)


# The stage


@pytest.fixture
def people(project: Project) -> pd.DataFrame:
    table = pd.read_parquet("data/prepared/mini/lsp/people.parquet").query("split == 'test'")
    return table.reset_index(drop=True)


def publish(joints: np.ndarray, file: Path) -> None:
    file.parent.mkdir(parents=True)
    scipy.io.savemat(file, {"pred": (joints + 1).transpose(2, 1, 0)})


def take(joints: np.ndarray) -> pd.DataFrame:
    """Publish joints (N, 14, 2) as their authors would, and adopt them."""
    release = Recipes().release(YANG)
    publish(joints, Path("released") / release.file)
    released = {"YangCVPR16": Path("released/YangCVPR16")}
    inputs = {"people": Artifacts(Recipes(), "mini").annotate("lsp").outputs, "release": released}
    adopt(release, inputs, {"predictions": Path("adopted.parquet")})
    return pd.read_parquet("adopted.parquet")


def test_joints_of_a_file_become_those_of_the_people_of_the_split_in_their_order(people: pd.DataFrame) -> None:
    joints = np.stack(people["joints_pc"].tolist()).reshape(-1, 14, 2)
    taken = take(joints)
    assert taken["person"].tolist() == people["person"].tolist()
    assert np.stack(taken["joints"].tolist()).reshape(-1, 14, 2) == pytest.approx(joints)


def test_a_file_of_other_people_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="5 people, lsp/test has 4; check test in releases.yaml"):
        take(np.zeros((5, 14, 2)))


def test_published_predictions_are_scored_from_labels_alone(project: Project, mirror: Path) -> None:
    project.edit(
        "params/datasets/lsp-predictions.yaml",
        lambda source: source.update(native=["YangCVPR16/pred_keypoints_lsp_pc.mat"], sources=[], by_hand={}),
    )
    shutil.rmtree(mirror / "lsp/images")
    labels = lsp.read(mirror / "lsp", {"test": (9, 12)}).labels["pc"].joints
    publish(labels, mirror / "lsp_predictions/YangCVPR16/pred_keypoints_lsp_pc.mat")
    project.pin("lsp-predictions", "lsp_predictions")
    for verb in ("fetch lsp", "annotate lsp", "fetch lsp-predictions", f"adopt {YANG}", f"score {YANG}"):
        project.run(*verb.split(), "--scale", "lite")
    scores = json.loads(Path(f"results/lite/scores/{YANG}/seed0/published.json").read_text())
    assert scores["pck"]["Avg"]["value"] == 100
    assert list(Path("data").rglob("lite/**/*.jpg")) == []


# Its place in tables


@pytest.mark.parametrize(("scale", "experiments"), [("mini", []), ("lite", [YANG]), ("paper", [YANG])])
def test_a_published_row_is_scored_against_real_people_alone(scale: ScaleName, experiments: list[str]) -> None:
    artifacts = Artifacts(Recipes(PARAMS), scale)
    sources = artifacts.sources(artifacts.recipes.table("hcrn_table5"))
    assert [each.experiment for each in sources.get(("Yang et al. [29]", "Avg"), ())] == experiments


def test_a_published_row_rests_on_the_file_and_on_the_labels() -> None:
    artifacts = Artifacts(Recipes(PARAMS), "lite")
    adopted = artifacts.table("hcrn_table5").inputs["score:released/lsp-pc/yang16/published"].inputs["predictions"]
    assert {each.recipe["dataset"] for each in (adopted.inputs["release"], adopted.inputs["people"])} == {
        "lsp-predictions",
        "lsp",
    }


def test_an_unknown_method_is_refused_with_the_nearest(project: Project) -> None:
    told = project.refusal("adopt", "released/lsp-pc/yang15", "--scale", "lite")
    assert "did you mean 'released/lsp-pc/yang16'?" in told
