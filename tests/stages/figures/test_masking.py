"""Keypoint masking, drawn: the images of the training itself, and patches that are where the values say."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from torch import Tensor

from posetables.data import masking, skeletons
from posetables.data.augment import PIXELS, Sampler
from posetables.data.codecs import Truth
from posetables.data.loading import Batch
from posetables.data.people import Crops, read_crops
from posetables.params import Recipes
from posetables.provenance.identity import closure
from posetables.recipe import Augment, Experiment, Masking
from posetables.stages import train
from posetables.stages.artifacts import Artifacts
from posetables.stages.figures.masking import COPIED, COVERED, Masked, frame, masked, pixels_of, seen
from posetables.stages.figures.page import Page

if TYPE_CHECKING:
    from conftest import Project

ROW = "hcrn/lsp-pc/vgg16-hcrn"
FIGURE = {"kind": "masking", "title": "A figure", "experiment": ROW, "stage": "main", "people": 2}
FIGURES, EXPERIMENTS = Path("params/papers/hcrn/figures.yaml"), "params/papers/hcrn/experiments.yaml"
SVG, VALUES = Path("results/mini/figures/hcrn_fig0.svg"), Path("results/mini/figures/hcrn_fig0.csv")
DRAW = ("draw", "hcrn_fig0", "--scale", "mini")
LSP = skeletons.named("lsp")
CPU = torch.device("cpu")
SIDE = 64
"""Pixels of the input of these tests."""


def write(**changed: Any) -> None:
    FIGURES.write_text(yaml.safe_dump({"hcrn_fig0": FIGURE | changed}, sort_keys=False))


def values() -> list[dict[str, str]]:
    with VALUES.open(newline="") as file:
        return list(csv.DictReader(file))


def mask_people(project: Project, **recipe: float) -> None:
    """Have the training of the experiment do it."""

    def change(content: dict[str, Any]) -> None:
        experiment = content["experiments"]["lsp-pc/vgg16-hcrn"]
        experiment["stages"] = {"main": experiment["stages"]["main"] | {"masking": recipe}}

    project.edit(EXPERIMENTS, change)


@pytest.fixture
def masks(project: Project) -> Project:
    """Patches of 8 pixels at mini scale."""
    write()
    mask_people(project, probability=0.5, patch=8 * 368 / SIDE)
    return project


@pytest.fixture
def drawn(masks: Project) -> Project:
    masks.run(*DRAW)
    return masks


# Pictures


def image_of(*joints: tuple[float, float]) -> tuple[Tensor, Truth]:
    """An image of random colours and a person whose other joints nobody labelled."""
    known = torch.arange(14)[None] < len(joints)
    xy = torch.tensor([[*joints, *[(0.0, 0.0)] * (14 - len(joints))]])
    return torch.rand(1, 3, SIDE, SIDE) - 0.5, Truth(joints=xy, labelled=known, visible=known, size=SIDE)


def picture(images: Tensor, truth: Truth, kind: str, *, background: float = 0.5) -> Masked:
    recipe = Masking(probability=0.5, patch=8, background=background)
    return masked(kind, images, truth, recipe, np.array([[0.99, 0.99, 0.6, 0.5]]), Sampler("centred", CPU))


def square(place: tuple[int, int], side: int) -> tuple[slice, slice]:
    """Rows and columns."""
    return slice(place[1], place[1] + side), slice(place[0], place[0] + side)


@pytest.mark.parametrize("kind", [COVERED, COPIED])
def test_a_patch_shows_what_it_is_a_copy_of_and_all_else_stays(kind: str) -> None:
    images, truth = image_of((20, 30), (45, 40))
    expected = pixels_of(images, Sampler("centred", CPU))[0]
    _, (pixels,), (patch,) = picture(images, truth, kind)
    assert patch is not None and patch.side == 8
    expected[square(patch.target, 8)] = expected[square(patch.source, 8)].copy()
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("kind", [COVERED, COPIED])
def test_the_joint_is_in_the_middle_of_what_is_covered_or_copied(kind: str) -> None:
    _, _, (patch,) = picture(*image_of((20, 30), (45, 40)), kind)
    assert patch is not None
    first = np.array(patch.target if kind == COVERED else patch.source)
    assert (np.abs(first + (8 - 1) / 2 - (45, 40)) <= 0.5).all()


@pytest.mark.parametrize("kind", [COVERED, COPIED])
@pytest.mark.parametrize("background", [0.0, 1.0])
def test_both_kinds_are_drawn_whatever_the_share_of_each_is(kind: str, background: float) -> None:
    images, truth = image_of((20, 30))
    even, uneven = (picture(images, truth, kind, background=share) for share in (0.5, background))
    assert uneven.patches == even.patches


def test_colours_are_red_green_blue_whatever_the_order_that_the_network_sees() -> None:
    """A crop that is red."""
    crop = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    crop[0, 0] = 200
    for pixels in PIXELS:
        sampler = Sampler(pixels, CPU)
        images = sampler(crop, torch.tensor([4.0]), torch.eye(2)[None], (4, 4))
        np.testing.assert_array_equal(pixels_of(images, sampler)[0, 1, 1], (200, 0, 0))


def test_the_image_itself_stays_as_it_is() -> None:
    images, truth = image_of((20, 30))
    before = images.clone()
    picture(images, truth, COVERED)
    assert torch.equal(images, before)


def test_of_a_person_without_a_joint_to_mask_there_is_no_patch() -> None:
    images, truth = image_of()
    assert picture(images, truth, COVERED).patches == [None]


# As the training sees people

PEOPLE = [2, 6]


def as_it_is(recipe: Experiment) -> Experiment:
    return recipe.model_copy(update={"augment": Augment(rotation=0, scale=(1, 1), flip=0)})


def crops_of(recipe: Experiment) -> Crops:
    return read_crops(Path("data/prepared/mini/lsp"), "train", recipe.labels, range(14))


def trained_on(recipe: Experiment, masks: Masking | None) -> tuple[Tensor, Truth]:
    """The people in a batch of the first epoch of a training that does not augment them."""
    crops, stage = crops_of(recipe), recipe.stage("main").model_copy(update={"masking": masks})
    names = ("density", "joints", "labelled", "visible")
    arrays = (crops.store[crops.row[PEOPLE]], *(getattr(crops, name)[PEOPLE] for name in names))
    batch = Batch(0, np.array(PEOPLE), *map(torch.from_numpy, arrays))
    return train.Batches(as_it_is(recipe), stage, (SIDE, SIDE), 16, 0, CPU)(batch)


def test_the_input_is_that_of_the_training_without_augmentation(project: Project) -> None:
    recipe = Recipes().experiment(ROW, "mini")
    images, truth = seen(recipe, Sampler(recipe.pixels, CPU), crops_of(recipe), PEOPLE)
    theirs, their_truth = trained_on(recipe, None)
    assert torch.equal(images, theirs)
    assert torch.equal(truth.joints, their_truth.joints) and torch.equal(truth.labelled, their_truth.labelled)


@pytest.mark.parametrize(("kind", "share"), [(COVERED, 1.0), (COPIED, 0.0)])
def test_masks_are_those_of_a_training_that_masks_everybody_so(project: Project, kind: str, share: float) -> None:
    recipe = Recipes().experiment(ROW, "mini")
    crops, sampler = crops_of(recipe), Sampler(recipe.pixels, CPU)
    masks = Masking(probability=1, patch=8, background=share)
    people, draws = seen(recipe, sampler, crops, PEOPLE), masking.draw(0, 0, len(crops))[PEOPLE]
    found = masked(kind, *people, masks, draws, sampler)
    assert None not in found.patches
    np.testing.assert_array_equal(found.pixels, pixels_of(trained_on(recipe, masks)[0], sampler))


# The figure


def test_there_is_a_line_for_both_masks_of_evenly_spaced_people_of_the_first_data_set(drawn: Project) -> None:
    """Of eight, from the middle of either half."""
    told = [(line["person"], line["kind"]) for line in values()]
    assert told == [(person, kind) for person in ("im0003", "im0007") for kind in (COVERED, COPIED)]


def test_values_name_the_joint_and_its_label_in_pixels_of_the_input(drawn: Project) -> None:
    people = pd.read_parquet("data/prepared/mini/lsp/crops.parquet").set_index("person")
    for line in values():
        person = people.loc[line["person"]]
        label = np.reshape(person["joints_pc"], (14, 2))[LSP.index(line["joint"])]
        center = person["center_x"], person["center_y"]
        expected = ((label - center) / person["side"] + 0.5) * SIDE - 0.5
        np.testing.assert_allclose([float(line["x"]), float(line["y"])], expected, atol=0.051)


def test_the_named_joint_lies_less_than_a_pixel_from_the_middle_of_what_is_covered_or_copied(drawn: Project) -> None:
    for line in values():
        first = ("left", "top") if line["kind"] == COVERED else ("from_left", "from_top")
        middle = [int(line[each]) + (int(line["side"]) - 1) / 2 for each in first]
        assert int(line["side"]) == 8
        np.testing.assert_allclose([float(line["x"]), float(line["y"])], middle, rtol=0, atol=1)


def test_whoever_has_nothing_to_mask_has_an_empty_line(masks: Project) -> None:
    mask_people(masks, probability=0.5, patch=368)
    masks.run(*DRAW)
    assert {(line["joint"], line["left"], line["side"]) for line in values()} == {("", "", "")}


def test_a_picture_without_a_patch_says_why() -> None:
    axes = Page(1, 1).axes(0, 0, 1, 1)
    frame(axes, None)
    assert [text.get_text() for text in axes.texts] == ["no joint to mask, or no background"]


def test_the_figure_says_who_was_taken_and_how_often_people_are_masked(masks: Project) -> None:
    mask_people(masks, probability=0.25, patch=46, background=0.75)
    masks.run(*DRAW)
    told = " ".join(" ".join(SVG.read_text().split("</text>")).split())
    for text in ("2 of 8 people of lsp/train", "64 x 64 pixels", "25 % of people", "75 % of them", "A figure - mini"):
        assert text in told


def test_the_same_people_are_the_same_bytes(drawn: Project) -> None:
    before = SVG.read_bytes(), VALUES.read_bytes()
    SVG.unlink()
    drawn.run(*DRAW)
    assert (SVG.read_bytes(), VALUES.read_bytes()) == before


def test_the_figure_follows_from_the_crops_that_are_trained_on_and_from_the_code_that_masks(masks: Project) -> None:
    made = Artifacts(Recipes(), "mini").figure("hcrn_fig0")
    assert {name: str(each.manifest) for name, each in made.inputs.items()} == {
        f"train:{ROW}": "data/prepared/mini/lsp/crops.manifest.json"
    }
    assert "posetables.data.masking" in closure(made.modules)


def test_another_patch_is_another_figure(masks: Project) -> None:
    before = Artifacts(Recipes(), "mini").figure("hcrn_fig0").identity
    mask_people(masks, probability=0.5, patch=40)
    assert Artifacts(Recipes(), "mini").figure("hcrn_fig0").identity != before


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"stage": "mian"}, "hcrn_fig0.stage: no stage 'mian'; did you mean 'main'?"),
        ({"experiment": "hcrn/lsp-pc/vgg16-holistic"}, "hcrn/lsp-pc/vgg16-holistic/main has no masking"),
        ({"experiment": "released/lsp-pc/yang16"}, "no experiment 'released/lsp-pc/yang16'"),
    ],
)
def test_what_masks_nobody_is_refused(masks: Project, changed: dict[str, str], said: str) -> None:
    write(**changed)
    assert said in masks.refusal(*DRAW)


def test_a_figure_whose_experiment_is_left_out_is_refused(masks: Project) -> None:
    masks.edit("params/scales.yaml", lambda scales: scales["mini"].update(leaves_out=["released/*", "hcrn/lsp-pc/*"]))
    assert "left out at mini scale" in masks.refusal(*DRAW)
