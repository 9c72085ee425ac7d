"""Draw keypoint masking as a training sees it: people as they are, and with a mask of each kind (MSSA Fig. 5)."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Rectangle
from torch import Tensor

from posetables.data import masking, skeletons
from posetables.data.augment import Sampler, move_joints
from posetables.data.codecs import Truth
from posetables.data.people import Crops, read_crops
from posetables.errors import InputError
from posetables.stages import network as networks
from posetables.stages.figures.page import OUTLINE, SMOOTH, STYLE, SVG, Page, corner, evenly_spaced

if TYPE_CHECKING:
    from _csv import Writer

    from posetables.figures import Masks
    from posetables.recipe import Experiment, Masking

SIDE, GAP, LINE, LETTER = 1.9, 0.06, 0.14, 0.065
"""Inches: height of a picture, between pictures, of a line of text, of a letter."""

COVERED, COPIED = "background on joint", "joint on background"
KINDS = {COVERED: -1.0, COPIED: 1.0}
"""Kind -> what is drawn for it: below, or not below, any share of people whose joint is covered."""

DASHED = (0, (3, 2))

LEGEND = "dots: labelled joints; frame: the patch that is masked; dashed: where its pixels are taken from"

COLUMNS = ("person", "kind", "joint", "x", "y", "left", "top", "from_left", "from_top", "side")


class Masked(NamedTuple):
    """People with masks of one kind."""

    kind: str
    pixels: np.ndarray
    """(B, h, w, 3) uint8."""
    patches: Sequence[masking.Patch | None]
    """Nothing of whoever has no joint to mask, or no background."""


def draw(
    figure: Masks,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): every patch that is drawn, in pixels of the network's input.

    Raises:
        InputError: the scale leaves out the experiment.
    """
    if figure.experiment is None:
        raise InputError(f"{figure.name}: its experiment is left out at {scale} scale; draw it at another")
    recipe = tested[figure.experiment]
    part, skeleton, stage = recipe.train[0], skeletons.named(recipe.maps_of), recipe.stage(figure.stage)
    assert stage.masking is not None
    numbers = skeletons.named(part.skeleton).numbers(skeleton)
    folder = inputs[f"train:{recipe.name}"]["crops"].parent
    crops = read_crops(folder, part.split, recipe.labels, numbers, aspect=recipe.aspect)
    people = evenly_spaced(len(crops), figure.people)
    sampler = Sampler(recipe.pixels, torch.device("cpu"))
    images, truth = seen(recipe, sampler, crops, people)
    drawn = masking.draw(0, 0, len(crops))[people]  # as in a training's first epoch
    masks = [masked(kind, images, truth, stage.masking, drawn, sampler) for kind in KINDS]
    names = [crops.person[person] for person in people]
    with outputs["values"].open("w", newline="") as file:
        write_values(csv.writer(file, lineterminator="\n"), names, skeleton.joints, truth, masks)
    chosen = f"{len(people)} of {len(crops):,} people of {part.dataset}/{part.split}, evenly spaced"
    height, width = images.shape[2:]
    told = f"{chosen}, not augmented, {width} x {height} pixels; {LEGEND}; {said(stage.masking)}"
    with mpl.rc_context(STYLE):
        drawing = plot(f"{figure.title} - {scale} scale", names, pixels_of(images, sampler), truth, masks, told)
        drawing.savefig(outputs["figure"], **SVG)
    return {"people": len(crops)}


def seen(recipe: Experiment, sampler: Sampler, crops: Crops, people: Sequence[int]) -> tuple[Tensor, Truth]:
    """Images (B, 3, h, w) of some people and their joints as a training has them, but upright and not flipped."""
    size = networks.shape(networks.build(recipe.network, recipe.maps_of), recipe)
    upright, as_it_is = torch.eye(2).expand(len(people), 2, 2), torch.zeros(len(people), dtype=torch.bool)
    rows, flip = list(people), skeletons.named(recipe.maps_of).flip
    stored, density = torch.from_numpy(crops.store[crops.row[rows]]), torch.from_numpy(crops.density[rows])
    truth = Truth(
        joints=move_joints(torch.from_numpy(crops.joints[rows]), upright, as_it_is, flip, size),
        labelled=torch.from_numpy(crops.labelled[rows]),
        visible=torch.from_numpy(crops.visible[rows]),
        size=size[0],
    )
    return sampler(stored, density, upright, size), truth


def masked(kind: str, images: Tensor, truth: Truth, recipe: Masking, drawn: np.ndarray, sampler: Sampler) -> Masked:
    """Everybody with a mask of one kind, by what masks in training."""
    forced = np.column_stack([np.zeros(len(drawn)), np.full(len(drawn), KINDS[kind]), drawn[:, 2:]])
    patches, images = masking.patches(images, truth, recipe, forced), images.clone()
    masking.mask(images, truth, recipe, forced)
    return Masked(kind, pixels_of(images, sampler), patches)


def joint_of(kind: str, patch: masking.Patch, joints: np.ndarray) -> int:
    """Number of the joint (J, 2), NaN where not labelled, in the middle of what is covered, or copied."""
    first = patch.target if kind == COVERED else patch.source
    return int(np.nanargmin(np.abs(joints - first - (patch.side - 1) / 2).max(1)))


def pixels_of(images: Tensor, sampler: Sampler) -> np.ndarray:
    """Colours (B, h, w, 3) uint8, RGB, of what a network sees."""
    raw = (images / sampler.factor + sampler.mean).round().clamp(0, 255)
    colours: np.ndarray = raw[:, np.argsort(sampler.order)].to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return colours


def labels_of(truth: Truth) -> np.ndarray:
    """(B, J, 2) pixels of the network's input, NaN where not labelled."""
    return np.where(truth.labelled.numpy()[..., None], truth.joints.numpy(), np.nan)


def write_values(
    writer: Writer, names: Sequence[str], joints: Sequence[str], truth: Truth, masks: Sequence[Masked]
) -> None:
    """A line a mask: the joint, then the first pixel of the patch and of what it shows, and its side."""
    writer.writerow(COLUMNS)
    for number, (name, labels) in enumerate(zip(names, labels_of(truth), strict=True)):
        for kind, _, patches in masks:
            if (patch := patches[number]) is None:
                writer.writerow((name, kind, *[""] * (len(COLUMNS) - 2)))
            else:
                joint = joint_of(kind, patch, labels)
                x, y = (f"{each:.1f}" for each in labels[joint])
                writer.writerow((name, kind, joints[joint], x, y, *patch.target, *patch.source, patch.side))


def said(recipe: Masking) -> str:
    """How often a training does it."""
    return (
        f"in training {100 * recipe.probability:.0f} % of people are masked, once an epoch, "
        f"{100 * recipe.background:.0f} % of them by background"
    )


def plot(
    title: str, names: Sequence[str], pixels: np.ndarray, truth: Truth, masks: Sequence[Masked], told: str
) -> Drawing:
    """A line a person: the input with its labels, then masked in each way."""
    headings = ["input", *(each.kind for each in masks)]
    side = SIDE * pixels.shape[2] / pixels.shape[1]
    width, top = LINE + len(headings) * (side + GAP), 3.2 * LINE
    lines = textwrap.wrap(told, int(width / LETTER))
    bottom = top + len(names) * (SIDE + GAP)
    page = Page(width, bottom + (len(lines) + 1) * LINE)
    page.title(title)
    lefts = [LINE + number * (side + GAP) for number in range(len(headings))]
    for left, heading in zip(lefts, headings, strict=True):
        page.text(left + side / 2, top - LINE, heading, ha="center", size=7)
    pictures = [pixels, *(each.pixels for each in masks)]
    for number, (name, labels) in enumerate(zip(names, labels_of(truth), strict=True)):
        above = top + number * (SIDE + GAP)
        page.text(GAP / 2, above, name, rotation=90, size=6)
        first, *others = [show(page, left, above, each[number]) for left, each in zip(lefts, pictures, strict=True)]
        first.plot(*labels.T, "o", color="#00e5ff", markersize=2.5, markeredgecolor="black", markeredgewidth=0.4)
        for axes, each in zip(others, masks, strict=True):
            frame(axes, each.patches[number])
    page.text(page.width / 2, bottom, "\n".join(lines), ha="center", size=7)
    return page.drawing


def show(page: Page, left: float, top: float, pixels: np.ndarray) -> Axes:
    """A picture in pixels of the network's input."""
    height, width = pixels.shape[:2]
    axes = page.axes(left, top, SIDE * width / height, SIDE)
    axes.imshow(pixels, interpolation=SMOOTH)
    axes.autoscale(False)
    axes.set_axis_off()
    return axes


def frame(axes: Axes, patch: masking.Patch | None) -> None:
    """Lines around what was changed, and around what it shows."""
    if patch is None:
        corner(axes, "no joint to mask, or no background")
        return
    for (x, y), style in ((patch.target, "-"), (patch.source, DASHED)):
        corners = (x - 0.5, y - 0.5), patch.side, patch.side
        axes.add_patch(Rectangle(*corners, fill=False, color="white", linestyle=style, path_effects=OUTLINE))
