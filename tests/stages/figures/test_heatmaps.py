"""Heatmaps: the steps are those of the network's units, who is shown follows a rule, and the rest are counted too."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from posetables.data import skeletons
from posetables.models.diffusion import diffuse
from posetables.models.hcrn import Hierarchy, RefinementUnits
from posetables.stages.figures.heatmaps import Moves, Outputs, steps_of

if TYPE_CHECKING:
    from conftest import Project

FIGURE = {
    "kind": "heatmaps",
    "title": "A figure",
    "experiment": "hcrn/lsp-pc/vgg16-hcrn",
    "joints": ["left knee", "left knee", "head top"],
    "steps": ["initial", "refined"],
}
FIGURES = Path("params/papers/hcrn/figures.yaml")
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")
LSP = skeletons.named("lsp")


@pytest.fixture
def drawn(with_table: Project) -> Project:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE}, sort_keys=False))
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    return with_table


def values() -> list[dict[str, str]]:
    with VALUES.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(params=[True, False], ids=["diffusion", "without"])
def found(request: pytest.FixtureRequest) -> Outputs:
    """Two people of a hierarchy whose units are no longer what they began as."""
    torch.manual_seed(0)
    hierarchy = Hierarchy(LSP, radius=7, diffusion=request.param)
    with torch.no_grad():
        for weights in hierarchy.parameters():
            weights += 0.02 * torch.randn_like(weights)
        logits = torch.randn(2, 15, 12, 12)
        return Outputs(hierarchy, *(maps[:, :-1].sigmoid() for maps in (logits, hierarchy(logits))))


@pytest.mark.parametrize("joint", LSP.parents)
def test_refined_maps_follow_from_the_steps_before_by_equations_2_to_4(found: Outputs, joint: str) -> None:
    number = LSP.index(joint)
    steps = steps_of(found, number, person=1)
    layer = next(n for n, joints in enumerate(found.hierarchy.joints) if number in joints)
    place, units = found.hierarchy.joints[layer].index(number), found.hierarchy.layers[layer]
    assert isinstance(units, RefinementUnits)
    maps = {step: torch.from_numpy(shown[0].map) for step, shown in steps.items()}
    with torch.no_grad():
        context = maps["parent"][None, None]
        if units.w_d is not None:
            context = diffuse(context, units.w_d[[place]], 7)
        refined = (
            units.w_c[place, 0] * maps["initial"] + units.w_c[place, 1] * context[0, 0] + units.b_c[place]
        ).sigmoid()
    torch.testing.assert_close(maps["diffused"], context[0, 0])
    torch.testing.assert_close(maps["refined"], refined)
    torch.testing.assert_close(maps["initial"], found.initial[1, number])


def test_the_parent_is_that_of_the_hierarchy_and_o_is_stacked_on_its_diffused_map(found: Outputs) -> None:
    steps = steps_of(found, LSP.index("left ankle"), person=0)
    knee = LSP.index("left knee")
    assert [shown.joint for shown in (*steps["parent"], *steps["diffused"])] == [knee, knee]
    np.testing.assert_array_equal(steps["parent"][0].map, found.refined[0, knee])
    assert steps["stacked"] == [*steps["initial"], *steps["diffused"]]


def test_of_those_who_are_labelled_it_is_told_how_many_came_nearer_and_how_many_farther() -> None:
    moves = Moves(np.array([0.1, np.nan, 0.9, 0.5, 0.3]), np.array([0.3, np.nan, 0.2, 0.1, 0.3]))
    assert moves.shares == (4, 50, 25)


def test_each_person_is_shown_with_every_step_and_nobody_twice(drawn: Project) -> None:
    shown = [(line["joint"], line["person"], line["step"]) for line in values()]
    assert [(joint, step) for joint, _, step in shown] == [
        (joint, step) for joint in FIGURE["joints"] for step in FIGURE["steps"]
    ]
    assert len(set(shown)) == len(shown)


def test_a_maximum_is_as_far_from_its_label_as_is_told(drawn: Project) -> None:
    people = pd.read_parquet("data/prepared/mini/lsp/crops.parquet").set_index("person")
    for line in values():
        label = np.reshape(people["joints_pc"][line["person"]], (14, 2))[LSP.index(line["joint"])]
        distance = np.hypot(*(label - (float(line["x"]), float(line["y"])))) / people["side"][line["person"]]
        assert distance == pytest.approx(float(line["before" if line["step"] == "initial" else "after"]), abs=0.002)


def test_the_figure_says_what_became_of_everybody(drawn: Project) -> None:
    (line, *_) = values()
    told = SVG.read_text()
    assert f"of {line['people']} people" in told
    assert f"{float(line['nearer']):.1f} % nearer, {float(line['farther']):.1f} % farther" in told


def test_the_same_maps_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run("draw", "hcrn_fig0", "--scale", "mini")
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


def test_steps_of_one_person_stand_side_by_side_under_their_names(with_table: Project) -> None:
    steps = ["initial", "parent", "diffused", "stacked", "refined"]
    alone = FIGURE | {"joints": ["left ankle"], "steps": steps}
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": alone}))
    with_table.run("draw", "hcrn_fig0", "--scale", "mini")
    told = SVG.read_text()
    for heading in ("initial O, left ankle", "parent's H, left knee", "diffused", "refined H, left ankle"):
        assert heading in told


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"experiment": "hcrn/lsp-pc/vgg16-holistic"}, "hcrn/lsp-pc/vgg16-holistic: network: no refinement units"),
        ({"joints": ["neck"]}, "figures.yaml: hcrn_fig0.joints: no joint with a refinement unit 'neck'"),
        ({"joints": ["left kne"]}, "did you mean 'left knee'?"),
    ],
)
def test_what_has_no_unit_is_refused(with_table: Project, changed: dict[str, object], said: str) -> None:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | changed}))
    assert said in with_table.refusal("draw", "hcrn_fig0", "--scale", "mini")
