"""Figures: curves that end in the table's numbers, the same bytes every time, nothing drawn that is not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from posetables.cli import main
from posetables.data import skeletons
from posetables.errors import InputError
from posetables.figures import Curves
from posetables.recipe import Split
from posetables.recipe import Tested as Recipe
from posetables.stages.figures.curves import draw

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
FIGURE = {
    "kind": "curves",
    "title": "A figure",
    "thresholds": [0.2, 0.05],
    "panels": {
        "(a)": {"column": "Avg", "rows": {"VGG16-HCRN": ROW, "Yang et al.": "released/lsp-pc/yang16", "Ours": None}},
        "(b)": {"column": "Wrist", "rows": {"VGG16-HCRN": ROW}},
    },
}
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")


@pytest.fixture
def drawn(with_table: Project) -> Project:
    Path("params/papers/hcrn/figures.yaml").write_text(yaml.safe_dump({"hcrn_fig0": FIGURE}, sort_keys=False))
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    return with_table


def values() -> list[dict[str, str]]:
    with VALUES.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("panel", FIGURE["panels"])
def test_a_curve_ends_in_the_number_of_the_table(drawn: Project, panel: str) -> None:
    scores = json.loads(Path(f"results/mini/scores/{ROW}/seed0/pyramid3.json").read_text())
    last = [line for line in values() if line["panel"] == panel][-1]
    assert last["threshold"] == "0.2"
    assert float(last["value"]) == scores["pck"][last["column"]]["value"]


def test_what_is_published_for_real_people_is_not_drawn_beside_synthetic_ones(drawn: Project) -> None:
    assert {line["row"] for line in values()} == {"VGG16-HCRN"}
    assert "Yang" not in SVG.read_text()


def test_a_row_without_an_experiment_is_named_in_the_drawing(drawn: Project) -> None:
    assert "Ours: no experiment" in SVG.read_text()


def test_the_same_curves_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run("draw", "hcrn_fig0", "--scale", "mini")
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


def test_a_figure_is_audited_and_has_a_status(drawn: Project, capsys: pytest.CaptureFixture[str]) -> None:
    SVG.write_text(SVG.read_text() + " ")
    assert main(["audit", "--all", "--scale", "mini"]) == 1
    assert f"{SVG}: not what its stage wrote" in capsys.readouterr().out
    assert main(["status", str(SVG), "--scale", "mini"]) == 0
    assert "altered" in capsys.readouterr().out


def test_the_audit_of_a_figure_follows_it_to_the_data(drawn: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "hcrn_fig0", "--scale", "mini"]) == 0
    told = capsys.readouterr().out
    assert all(stage in told for stage in ("draw", "predict", "train", "crop", "annotate", "fetch"))
    assert told.splitlines()[-1] == "verified 9 of 9"


def test_a_figure_has_a_status_by_its_name(drawn: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "hcrn_fig0", "--scale", "mini", "--json"]) == 0
    found = {each["stage"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert found["draw"] == "current"
    assert {"fetch", "annotate", "train", "predict"} <= set(found)


def test_a_kind_of_figure_that_does_not_exist_is_refused(drawn: Project) -> None:
    drawn.edit("params/papers/hcrn/figures.yaml", lambda figures: figures["hcrn_fig0"].update(kind="curve"))
    assert "no kind of figure 'curve'; did you mean 'curves'?" in drawn.refusal("draw", "hcrn_fig0", "--scale", "mini")


def test_an_unknown_figure_is_refused_with_the_nearest(drawn: Project) -> None:
    assert "no figure 'hcrn_fg0'; did you mean 'hcrn_fig0'?" in drawn.refusal("draw", "hcrn_fg0", "--scale", "mini")


MPII = skeletons.named("mpii")
HEAD = 10.0
"""Pixels, .6 times the diagonal of everybody's head box."""


@pytest.fixture
def wrists(tmp_path: Path) -> Path:
    """Four people of MPII of whom wrists and ankles are labelled: the right wrist of all, the left one of two."""
    right, left, ankle = map(MPII.index, ("right wrist", "left wrist", "right ankle"))
    off = np.zeros((4, 16, 2))
    off[:, right, 0] = 1, 2, 3, 9  # .1, .2, .3 and .9 heads
    off[:2, left, 1] = 4, 6
    visible = np.zeros((4, 16), int)
    visible[:, [right, ankle]], visible[:2, left] = 2, 2
    people = pd.DataFrame({"person": list("abcd"), "split": "val", "head": HEAD})
    truth = np.full((4, 16, 2), 50.0)
    people["joints_pc"], people["visible_pc"] = list(truth.reshape(4, -1)), list(visible)
    people.to_parquet(tmp_path / "people.parquet")
    found = pd.DataFrame({"person": list("abcd")})
    found["joints"] = list((truth + off).reshape(4, -1))
    found.to_parquet(tmp_path / "predictions.parquet")
    return tmp_path


def heads(folder: Path, column: str, metrics: tuple[str, ...] = ("auc", "pckh")) -> dict[str, float]:
    """Threshold -> what is drawn of a column."""
    panels = {"(a)": {"column": column, "rows": {"Ours": "ours"}}}
    figure = Curves.model_validate(
        {"kind": "curves", "name": "mca_fig0", "paper": "mca", "title": "", "thresholds": [0.5, 0.1], "panels": panels}
    )
    recipe = Recipe(name="ours", skeleton="mpii", labels="pc", test=Split(dataset="mpii", split="val"), metrics=metrics)
    inputs = {
        "people:ours": {"people": folder / "people.parquet"},
        "predictions:ours": {"predictions": folder / "predictions.parquet"},
    }
    draw(figure, "mini", {"ours": recipe}, inputs, {"figure": folder / "drawn.svg", "values": folder / "drawn.csv"})
    with (folder / "drawn.csv").open(newline="") as file:
        return {line["threshold"]: float(line["value"]) for line in csv.DictReader(file)}


def test_a_column_of_mpii_is_drawn_in_heads(wrists: Path) -> None:
    drawn = heads(wrists, "Wrist")
    assert [drawn[threshold] for threshold in ("0", "0.1", "0.2", "0.4", "0.5")] == [
        0,
        (25 + 0) / 2,
        (50 + 0) / 2,
        (75 + 50) / 2,
        (75 + 50) / 2,
    ]
    assert "PCKh, %" in (wrists / "drawn.svg").read_text()


def test_the_total_of_mpii_pools_its_joints(wrists: Path) -> None:
    assert heads(wrists, "Total")["0.5"] == pytest.approx(100 * (3 + 1 + 4) / (4 + 2 + 4))


@pytest.mark.parametrize(
    ("column", "metrics", "said"),
    [
        ("Wirst", ("pckh",), "no column of pckh 'Wirst'; did you mean 'Wrist'?"),
        ("Wrist", ("oks",), "no curves of oks"),
    ],
)
def test_what_has_no_curve_is_refused(wrists: Path, column: str, metrics: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", "[?]")):
        heads(wrists, column, metrics)
