"""Draw the points that Graph-PCNN samples around a joint in training, kind by kind (Graph-PCNN sec. 3.1, Fig. 3)."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle
from torch import Tensor

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.augment import move_joints, placed
from posetables.data.codecs import Truth, codec_of
from posetables.data.people import Crops
from posetables.data.points import PointCodec
from posetables.data.random import of_samples
from posetables.errors import InputError
from posetables.models.gpcnn import GraphPCNN, sample, shares
from posetables.stages import network as networks
from posetables.stages.figures.overlays import COLOURS, box_of, images_of, lay, people_of, shift_of, trained
from posetables.stages.figures.page import OUTLINE, SMOOTH, STYLE, SVG, Page, Picture, evenly_spaced, picture

if TYPE_CHECKING:
    from _csv import Writer

    from posetables.figures import GuidedPoints
    from posetables.recipe import Experiment

SIDE, GAP, LINE, LETTER, LEAST = 2.4, 0.06, 0.14, 0.065, 6.0
"""Inches: height of a picture, between pictures, of a line of text, of a letter, of the narrowest page."""

NEAR, FAR, HIGH = "(a) near", "(b) far", "(c) high response"
KINDS = {NEAR: "#d62728", FAR: "#1f77b4", HIGH: "white"}
"""Kind -> colour of the circle around the label that parts near from far: red and blue as in the paper."""

YELLOW, OUTSIDE = "#ffe119", "#808080"

LEGEND = "dots: guided points; star: label; in (c) the heatmap of the first stage"

COLUMNS = ("person", "joint", "kind", "x", "y", "sigmas")


class Sampled(NamedTuple):
    """One joint of some people and its guided points."""

    points: Mapping[str, np.ndarray]
    """Kind -> (B, n, 2) box coordinates."""
    labels: np.ndarray
    """(B, 2) box coordinates."""
    maps: np.ndarray
    """(B, h, w) of the first stage."""
    shift: float
    """Of what a cell stands for from its middle, in heights of the box."""
    sigma: float
    """In heights of the box."""
    radius: float
    """In heights of the box: what is nearer is near."""


def draw(
    figure: GuidedPoints,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): every point in pixels of the image, and its distance from the label.

    Raises:
        InputError: the scale leaves out the experiment, its network has no second stage, or nobody has the joint.
    """
    if figure.experiment is None:
        raise InputError(f"{figure.name}: its experiment is left out at {scale} scale; draw it at another")
    recipe = tested[figure.experiment]
    device = devices.choose(recipe.compute)
    joint = skeletons.named(recipe.maps_of).index(figure.joint)
    everybody = people_of(recipe, inputs[f"crops:{recipe.name}"]["crops"].parent)
    people, labelled = chosen(everybody, joint, figure.people)
    if not people:
        raise InputError(
            f"{figure.name}.joint: nobody of {recipe.test.split} has {figure.joint} labelled; name another"
        )
    crops = few(everybody, people)
    found = sampled(recipe, inputs[f"weights:{recipe.name}"]["weights"], crops, people, joint, device)
    with outputs["values"].open("w", newline="") as file:
        write_values(csv.writer(file, lineterminator="\n"), figure.joint, crops, found)
    told = (
        f"{figure.joint} of {len(people)} of {labelled:,} people who have it labelled, evenly spaced; "
        f"{LEGEND}; circle: {found.radius / found.sigma:.3g} sigmas"
    )
    with mpl.rc_context(STYLE):
        plot(f"{figure.title} - {scale} scale", crops, recipe.aspect, found, told).savefig(outputs["figure"], **SVG)
    return {"people": len(people), "device": devices.name(device)}


def chosen(crops: Crops, joint: int, count: int) -> tuple[list[int], int]:
    """Numbers of `count` people, evenly spaced over those who have a joint labelled, and how many these are."""
    labelled = np.flatnonzero(crops.labelled[:, joint])
    return labelled[evenly_spaced(len(labelled), count)].tolist(), len(labelled)


def few(crops: Crops, people: Sequence[int]) -> Crops:
    """Some of the people, from the same store."""
    each_of = [each.name for each in fields(crops) if each.name not in ("store", "person")]
    arrays = {name: getattr(crops, name)[list(people)] for name in each_of}
    return replace(crops, person=[crops.person[number] for number in people], **arrays)


def sampled(
    recipe: Experiment, weights: Path, crops: Crops, numbers: Sequence[int], joint: int, device: torch.device
) -> Sampled:
    """Guided points as a training samples them, but of people who are neither turned nor flipped.

    numbers: of the people among all of their split, by which random numbers are drawn.
    """
    network, codec = trained(recipe, weights, device), codec_of("points", recipe.codecs)
    if not isinstance(network, GraphPCNN) or not isinstance(codec, PointCodec):
        raise InputError(f"{recipe.name}: network: no guided points; draw one with a second stage")
    seen: list[Tensor] = []
    with torch.inference_mode():
        for images in images_of(recipe, network, crops, device):
            with devices.precision(recipe.compute, device):
                seen.append(network.see(images)[0].float().cpu())
    maps, size = torch.cat(seen), networks.shape(network, recipe)
    rows, columns = maps.shape[-2:]
    joints, radius, _ = codec.guide(truth_of(recipe, crops, size), (rows, columns))
    drawn = of_samples(0, "guided points", 0, np.array(numbers), network.draws(*size)).astype(np.float32)
    counts = shares(network.kinds, drawn.shape[2])
    points = sample(joints, radius, maps, torch.from_numpy(drawn), counts)[:, joint]
    corners = codec.recipe.grid == "corners"
    places = placed(points, rows, size, corners=corners).numpy()
    return Sampled(
        dict(zip(KINDS, np.split(places, np.cumsum(counts)[:-1], axis=1), strict=True)),
        crops.joints[:, joint],
        maps[:, joint].numpy(),
        shift_of(codec.recipe.grid, rows, size[0]),
        codec.recipe.radius / size[0],
        radius / rows,
    )


def truth_of(recipe: Experiment, crops: Crops, size: tuple[int, int]) -> Truth:
    """What a training knows of people, as they are."""
    upright, as_it_is = torch.eye(2).expand(len(crops), 2, 2), torch.zeros(len(crops), dtype=torch.bool)
    flip = skeletons.named(recipe.maps_of).flip
    return Truth(
        joints=move_joints(torch.from_numpy(crops.joints), upright, as_it_is, flip, size),
        labelled=torch.from_numpy(crops.labelled),
        visible=torch.from_numpy(crops.visible),
        size=size[0],
    )


def write_values(writer: Writer, joint: str, crops: Crops, found: Sampled) -> None:
    """A line a point: pixels of the image, and how many sigmas it is from the label."""
    writer.writerow(COLUMNS)
    for i, (person, label) in enumerate(zip(crops.person, found.labels, strict=True)):
        for kind, points in found.points.items():
            for place in points[i]:
                x, y = (f"{each:.2f}" for each in place * crops.side[i] + crops.center[i])
                sigmas = float(np.hypot(*(place - label))) / found.sigma
                writer.writerow((person, joint, kind, x, y, f"{sigmas:.3f}"))


def plot(title: str, crops: Crops, aspect: float, found: Sampled, told: str) -> Drawing:
    """A line a person, a column a kind: all of what the network sees."""
    left, right, bottom, top = box_of(*found.maps.shape[1:])
    width, first = SIDE * (right - left) / (bottom - top), 3.2 * LINE
    filled = LINE + len(KINDS) * (width + GAP)
    page_width = max(filled, LEAST)
    lines = textwrap.wrap(told, int(page_width / LETTER))
    last = first + len(crops) * (SIDE + GAP)
    page = Page(page_width, last + (len(lines) + 1) * LINE)
    page.title(title)
    start = (page_width - filled) / 2 + LINE
    lefts = {kind: start + number * (width + GAP) for number, kind in enumerate(KINDS)}
    for kind, place in lefts.items():
        page.text(place + width / 2, first - LINE, kind, ha="center", size=7)
    for i, person in enumerate(crops.person):
        above = first + i * (SIDE + GAP)
        page.text(start - LINE, above, person, rotation=90, size=6)
        for kind, place in lefts.items():
            show(page.axes(place, above, width, SIDE), picture(crops, i, aspect), i, kind, found)
    page.text(page_width / 2, last, "\n".join(lines), ha="center", size=7)
    return page.drawing


def show(axes: Axes, seen: Picture, person: int, kind: str, found: Sampled) -> None:
    """One kind of points of one person, and the circle around the label within which they are near."""
    axes.imshow(seen.pixels, extent=seen.extent, interpolation=SMOOTH)
    if kind == HIGH:
        lay(axes, found.maps[person], COLOURS, 0.8, found.shift)
    label = found.labels[person]
    axes.add_patch(Circle((label[0], label[1]), found.radius, fill=False, color=KINDS[kind], linewidth=0.9))
    dots = found.points[kind][person]
    axes.plot(*dots.T, "o", color=YELLOW, markersize=2.2, markeredgecolor="black", markeredgewidth=0.3)
    axes.plot(*label, "*", color=YELLOW, markersize=8, path_effects=OUTLINE)
    left, right, bottom, top = box_of(*found.maps.shape[1:])
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], facecolor=OUTSIDE)
