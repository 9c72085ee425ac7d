"""Figures: curves that end in the table's numbers, the same bytes every time, nothing drawn that is not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from posetables.cli import main

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
