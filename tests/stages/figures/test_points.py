"""Guided points: those of each kind lie where the paper has them, in pixels of the image, around the joint's label."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from torch import nn

from posetables.data import skeletons
from posetables.errors import InputError
from posetables.figure_checks import check
from posetables.figures import GuidedPoints
from posetables.params import Recipes
from posetables.recipe import Experiment, Network, Points
from posetables.stages import network as networks
from posetables.stages.figures.overlays import images_of, people_of
from posetables.stages.figures.page import Picture
from posetables.stages.figures.points import FAR, HIGH, KINDS, NEAR, YELLOW, Sampled, chosen, draw, few, show

if TYPE_CHECKING:
    from conftest import Project

    from posetables.data.people import Crops

ROW = "hcrn/lsp-pc/vgg16-hcrn"
CROPS = Path("data/prepared/mini/lsp")
LSP = skeletons.named("lsp")
SIGMA, HEIGHT, WIDTH = 4, 96, 64
"""Pixels of the input."""
POINTS = 24
"""Of the 24 x 16 cells a sixteenth."""


def figure(**changed: Any) -> GuidedPoints:
    given = {"kind": "points", "name": "gpcnn_fig0", "paper": "gpcnn", "title": "A figure", "experiment": ROW}
    return GuidedPoints.model_validate(given | {"joint": "left knee", "people": 2} | changed)


def recipe_of(grid: str = "centres") -> Experiment:
    """A small network of two stages on people of LSP."""
    arguments: dict[str, str | int | float] = {"backbone": "resnet50", "blocks": 1, "width": 0.1}
    codec = {"target": "points", "radius": SIGMA, "positive": 3, "reliable": 2, "regression": 16, "grid": grid}
    changed = {"input": HEIGHT, "aspect": WIDTH / HEIGHT, "network": Network(paper="gpcnn", arguments=arguments)}
    codecs = {"points": Points.model_validate(codec)}
    return Recipes().experiment(ROW, "mini").model_copy(update=changed | {"codecs": codecs})


def network_of(recipe: Experiment) -> Any:
    """Its responses are far enough from each other for their order not to depend on who is in a batch."""
    network = networks.build(recipe.network, recipe.maps_of)
    for weights in network.parameters():
        if weights.dim() == 4:
            nn.init.kaiming_normal_(weights)
    return network.eval()


def drawn(folder: Path, recipe: Experiment, shown: GuidedPoints) -> list[dict[str, str]]:
    """Draw with random weights."""
    weights, outputs = folder / "weights.safetensors", {"figure": folder / "a.svg", "values": folder / "a.csv"}
    networks.save(network_of(recipe), weights)
    inputs = {f"crops:{ROW}": {"crops": CROPS / "crops.parquet"}, f"weights:{ROW}": {"weights": weights}}
    draw(shown, "mini", {ROW: recipe}, inputs, outputs)
    with outputs["values"].open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def lines(project: Project, tmp_path: Path) -> list[dict[str, str]]:
    return drawn(tmp_path, recipe_of(), figure())


def off(line: dict[str, str]) -> float:
    """Sigmas from the label, by the table of people: the height of the input is a side of the box."""
    person = pd.read_parquet(CROPS / "crops.parquet").set_index("person").loc[line["person"]]
    label = np.reshape(person["joints_pc"], (14, 2))[LSP.index("left knee")]
    distance = np.hypot(*(label - (float(line["x"]), float(line["y"]))))
    return float(distance / person["side"] * HEIGHT / SIGMA)


def test_a_third_of_the_points_is_of_each_kind(lines: list[dict[str, str]]) -> None:
    told = [(line["person"], line["kind"]) for line in lines]
    assert told == [(person, kind) for person in ("im0010", "im0012") for kind in KINDS for _ in range(POINTS // 3)]


def test_near_points_are_within_three_sigmas_of_the_label(lines: list[dict[str, str]]) -> None:
    assert max(off(line) for line in lines if line["kind"] == NEAR) < 3.01  # they are written to .01 pixels


def test_far_points_are_beyond_three_sigmas(lines: list[dict[str, str]]) -> None:
    assert min(off(line) for line in lines if line["kind"] == FAR) > 2.99


def test_the_distance_that_is_written_is_that_from_the_label(lines: list[dict[str, str]]) -> None:
    assert [float(line["sigmas"]) for line in lines] == pytest.approx([off(line) for line in lines], abs=0.01)


@pytest.mark.parametrize(("grid", "first"), [("centres", 1.5), ("corners", 0)])
def test_points_of_high_response_are_cells_among_the_highest_of_the_map(
    project: Project, tmp_path: Path, grid: str, first: float
) -> None:
    """The first cell stands for pixel `first` of the input, the next for one 4 pixels from there."""
    recipe = recipe_of(grid)
    found = [line for line in drawn(tmp_path, recipe, figure()) if line["kind"] == HIGH]
    crops, network = people_of(recipe, CROPS), network_of(recipe)
    with torch.inference_mode():
        (images,) = images_of(recipe, network, crops, torch.device("cpu"))
        maps = network.see(images)[0][:, LSP.index("left knee")].numpy()
    for line in found:
        i = crops.person.index(line["person"])
        box = (np.array([float(line["x"]), float(line["y"])]) - crops.center[i]) / crops.side[i]
        cell = (box * HEIGHT + (WIDTH / 2, HEIGHT / 2) - 0.5 - first) / 4
        np.testing.assert_allclose(cell, cell.round(), atol=0.02)
        column, row = cell.round().astype(int)
        assert maps[i, row, column] >= np.sort(maps[i].ravel())[-POINTS]


def test_the_same_points_are_the_same_bytes(project: Project, tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        drawn(tmp_path, recipe_of(), figure())
        made.append([(tmp_path / name).read_bytes() for name in ("a.svg", "a.csv")])
    assert made[0] == made[1]


def test_points_of_a_person_do_not_depend_on_who_else_is_drawn(project: Project, tmp_path: Path) -> None:
    """Of four people the second and the fourth, then the third alone, then all."""
    two, alone, everybody = (drawn(tmp_path, recipe_of(), figure(people=people)) for people in (2, 1, 4))
    assert [line for line in everybody if line["person"] in ("im0010", "im0012")] == two
    assert [line for line in everybody if line["person"] == "im0011"] == alone


def test_the_figure_says_who_was_taken(project: Project, tmp_path: Path) -> None:
    drawn(tmp_path, recipe_of(), figure())
    told = " ".join((tmp_path / "a.svg").read_text().split())
    assert "left knee of 2 of 4 people who have it labelled" in told


@pytest.fixture
def crops(project: Project) -> Crops:
    """Four people, of whom the second has no left knee."""
    found = people_of(recipe_of(), CROPS)
    found.labelled[1, LSP.index("left knee")] = False
    return found


def test_only_people_who_have_the_joint_labelled_are_taken(crops: Crops) -> None:
    assert chosen(crops, LSP.index("left knee"), 9) == ([0, 2, 3], 3)


def test_some_people_keep_all_that_is_theirs(crops: Crops) -> None:
    some = few(crops, [3, 1])
    for name in ("row", "density", "joints", "labelled", "visible", "center", "side"):
        np.testing.assert_array_equal(getattr(some, name), getattr(crops, name)[[3, 1]])
    assert (some.person, len(some), some.store) == (["im0012", "im0010"], 2, crops.store)


def test_a_joint_that_nobody_has_labelled_is_refused(project: Project, tmp_path: Path) -> None:
    people = pd.read_parquet(CROPS / "crops.parquet")
    people["visible_pc"] = [np.zeros(14, int)] * len(people)
    people.to_parquet(CROPS / "crops.parquet")
    with pytest.raises(InputError, match="gpcnn_fig0.joint: nobody of test has left knee labelled; name another"):
        drawn(tmp_path, recipe_of(), figure())


# The picture


def shown(kind: str) -> Any:
    """Somebody whose joint is at (.1, -.2), with one point of each kind at (.1, -.1), on maps of 4 x 3 cells."""
    points = dict.fromkeys(KINDS, np.array([[[0.1, -0.1]]]))
    found = Sampled(points, np.array([[0.1, -0.2]]), np.zeros((1, 4, 3), np.float32), 0.0, 0.05, 0.15)
    axes = Drawing().add_subplot()
    show(axes, Picture(np.zeros((8, 4, 3), np.uint8), (-0.25, 0.25, 0.5, -0.5)), 0, kind, found)
    return axes


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_yellow_dots_and_the_label_is_a_yellow_star(kind: str) -> None:
    marks = {line.get_marker(): (*line.get_xdata(), *line.get_ydata()) for line in shown(kind).lines}
    assert marks == {"o": (0.1, -0.1), "*": (0.1, -0.2)}
    assert {line.get_color() for line in shown(kind).lines} == {YELLOW}


def test_the_circle_around_the_label_has_the_radius_within_which_points_are_near() -> None:
    (circle,) = (each for each in shown(NEAR).patches if isinstance(each, Circle))
    assert (circle.center, circle.radius) == ((0.1, -0.2), 0.15)


def test_all_of_what_the_network_sees_is_shown_even_beside_the_image() -> None:
    axes = shown(FAR)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.375, 0.375), (0.5, -0.5))


def test_the_map_lies_over_the_image_where_points_have_a_high_response() -> None:
    assert [len(shown(kind).images) for kind in (NEAR, FAR, HIGH)] == [1, 1, 2]


# What is refused


@pytest.mark.parametrize(
    ("changed", "codecs", "said"),
    [
        ({"joint": "left kne"}, True, "gpcnn_fig0.joint: no joint 'left kne'; did you mean 'left knee'?"),
        ({}, False, f"gpcnn_fig0.experiment: {ROW} has no codec of points"),
    ],
)
def test_what_has_no_guided_points_is_refused(
    project: Project, changed: dict[str, str], codecs: bool, said: str
) -> None:
    recipe = recipe_of() if codecs else Recipes().experiment(ROW, "mini")
    with pytest.raises(InputError) as told:
        check(figure(**changed), lambda _: recipe, "figures.yaml: gpcnn_fig0")
    assert said in str(told.value)


def test_a_network_without_a_second_stage_is_refused(project: Project, tmp_path: Path) -> None:
    recipe = recipe_of()
    arguments = dict(recipe.network.arguments) | {"refinement": "none"}
    alone = recipe.model_copy(update={"network": Network(paper="gpcnn", arguments=arguments)})
    with pytest.raises(InputError, match=f"{ROW}: network: no guided points"):
        drawn(tmp_path, alone, figure())


def test_a_figure_whose_experiment_is_left_out_is_refused() -> None:
    with pytest.raises(InputError, match="left out at mini scale"):
        draw(figure().without(lambda _: True), "mini", {}, {}, {})
