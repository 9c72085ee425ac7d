"""Draw what the refinement units of a network do to the maps of joints (HCRN Fig. 3b and 4)."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.people import Crops
from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
from posetables.models.diffusion import diffuse
from posetables.models.hcrn import Hierarchy, RefinementUnits
from posetables.stages.figures.overlays import (
    COLOURS,
    distances_of,
    images_of,
    label_of,
    lay,
    mark,
    nearest_from_furthest,
    peak_of,
    people_of,
    trained,
    under,
)
from posetables.stages.figures.page import STYLE, SVG, Page, Picture, corner, picture

if TYPE_CHECKING:
    from _csv import Writer

    from posetables.figures import Heatmaps, Step
    from posetables.recipe import Experiment

SIDE, NARROWEST, GAP, LINE = 1.9, 1.6, 0.06, 0.16
"""Inches: height of a picture, width of a column, between pictures, of a line of text."""

STACKED = tuple(LinearSegmentedColormap.from_list(colour, [colour, colour]) for colour in ("#d62728", "#1f77b4"))

LABELS: Mapping[Step, str] = {
    "initial": "initial O",
    "parent": "parent's H",
    "diffused": "diffused Ĥ",
    "stacked": "O (red) and Ĥ (blue)",
    "refined": "refined H",
}

LEGEND = (
    "ring: label; cross: maximum; colours: from the least to the greatest value of each map, dark to bright\n"
    "shown: the test person whose maximum the unit brought nearest to the label from furthest"
)

COLUMNS = ("joint", "person", "step", "map_of", "x", "y", "value", "before", "after", "people", "nearer", "farther")


class Outputs(NamedTuple):
    """What a network says of all test people."""

    hierarchy: Hierarchy
    initial: Tensor
    """(N, J, h, w) probabilities."""
    refined: Tensor


class Moves(NamedTuple):
    """How far the maxima of one joint are from its labels, in sides of the box; NaN for unlabelled joints."""

    before: np.ndarray
    """(N,) of the initial maps."""
    after: np.ndarray

    @property
    def shares(self) -> tuple[int, float, float]:
        """People with the joint labelled; per cent of them whose maximum got nearer to the label, and farther."""
        gain = (self.before - self.after)[~np.isnan(self.before)]
        return len(gain), 100 * float(np.mean(gain > 0)), 100 * float(np.mean(gain < 0))


class Shown(NamedTuple):
    """A map that is drawn."""

    joint: int
    """Whose it is: the unit's joint, or its parent."""
    map: np.ndarray
    """(h, w) probabilities."""


class Case(NamedTuple):
    """What is drawn of one person: the steps of the unit of one joint."""

    joint: int
    person: int
    steps: Mapping[Step, Sequence[Shown]]


def draw(
    figure: Heatmaps,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): the maximum of every map that is drawn, in pixels of the image, and how
    many of all test people the unit brought nearer to their labels.

    Raises:
        InputError: the network has no refinement units.
    """
    recipe = tested[figure.experiment]
    skeleton, device = skeletons.named(recipe.maps_of), devices.choose(recipe.compute)
    crops = people_of(recipe, inputs[f"crops:{recipe.name}"]["crops"].parent)
    found = outputs_of(recipe, inputs[f"weights:{recipe.name}"]["weights"], crops, device)
    moves = {
        joint: Moves(*(distances_of(maps[:, joint], crops, joint) for maps in (found.initial, found.refined)))
        for joint in map(skeleton.index, figure.joints)
    }
    cases = cases_of(figure, skeleton, found, moves)
    with outputs["values"].open("w", newline="") as file:
        write_values(csv.writer(file, lineterminator="\n"), skeleton, crops, cases, moves)
    with mpl.rc_context(STYLE):
        plot(figure, scale, skeleton, crops, cases, moves).savefig(outputs["figure"], **SVG)
    return {"people": len(crops), "device": devices.name(device)}


def outputs_of(recipe: Experiment, weights: Path, crops: Crops, device: torch.device) -> Outputs:
    """One pass for each person, neither scaled nor flipped."""
    network = trained(recipe, weights, device)
    hierarchy = getattr(network, "hierarchy", None)
    if not isinstance(hierarchy, Hierarchy):
        raise InputError(f"{recipe.name}: network: no refinement units; draw an experiment of HCRN whose head has them")
    found: dict[str, list[Tensor]] = {"initial": [], "refined": []}
    with torch.inference_mode():
        for images in images_of(recipe, network, crops, device):
            with devices.precision(recipe.compute, device):
                logits = network(images)
            for name, maps in found.items():
                maps.append(logits[name][:, :-1].float().sigmoid().cpu())
    return Outputs(hierarchy.cpu(), *(torch.cat(maps) for maps in found.values()))


def cases_of(figure: Heatmaps, skeleton: Skeleton, found: Outputs, moves: Mapping[int, Moves]) -> list[Case]:
    """For each joint the person whose maximum came nearest to the label from furthest; then the next one."""
    cases: list[Case] = []
    for joint in map(skeleton.index, figure.joints):
        person = nearest_from_furthest(*moves[joint], rank=sum(case.joint == joint for case in cases))
        steps = steps_of(found, joint, person)
        cases.append(Case(joint, person, {step: steps[step] for step in figure.steps}))
    return cases


def steps_of(found: Outputs, joint: int, person: int) -> dict[Step, Sequence[Shown]]:
    """What goes into the unit of a joint and what comes out of it (HCRN Fig. 3)."""
    hierarchy = found.hierarchy
    layer = next(layer for layer, joints in enumerate(hierarchy.joints) if joint in joints)
    number, units = hierarchy.joints[layer].index(joint), hierarchy.layers[layer]
    assert isinstance(units, RefinementUnits)
    parent = hierarchy.parents[layer][number]
    initial, context, refined = (
        found.initial[person, joint],
        found.refined[person, parent],
        found.refined[person, joint],
    )
    diffused = context
    if units.w_d is not None:
        with torch.inference_mode():
            diffused = diffuse(context[None, None], units.w_d[number : number + 1], units.radius)[0, 0]
    return {
        "initial": [own := Shown(joint, initial.numpy())],
        "parent": [Shown(parent, context.numpy())],
        "diffused": [spread := Shown(parent, diffused.numpy())],
        "stacked": [own, spread],
        "refined": [Shown(joint, refined.numpy())],
    }


def write_values(
    writer: Writer, skeleton: Skeleton, crops: Crops, cases: Sequence[Case], moves: Mapping[int, Moves]
) -> None:
    """A line a map. Distances are in sides of the box; the last three columns are of all test people."""
    writer.writerow(COLUMNS)
    for joint, i, steps in cases:
        before, after = (f"{distance[i]:.4f}" for distance in moves[joint])
        people, *shares = moves[joint].shares
        for step, shown in steps.items():
            for whose, each in shown:
                x, y = peak_of(torch.from_numpy(each)[None])[0] * crops.side[i] + crops.center[i]
                place = (skeleton.joints[joint], crops.person[i], step, skeleton.joints[whose], f"{x:.1f}", f"{y:.1f}")
                writer.writerow((*place, f"{each.max():.4f}", before, after, people, *(f"{s:.2f}" for s in shares)))


class Column(NamedTuple):
    """Pictures one below the other."""

    heading: str
    case: Case
    steps: Sequence[Step]
    note: str


def plot(
    figure: Heatmaps,
    scale: str,
    skeleton: Skeleton,
    crops: Crops,
    cases: Sequence[Case],
    moves: Mapping[int, Moves],
) -> Drawing:
    """Columns of pictures with a note below each, and what the marks mean."""
    columns = columns_of(figure, skeleton, crops, cases, moves)
    lines = len(columns[0].steps)
    pictures = [picture(crops, column.case.person) for column in columns]
    widths = [max(NARROWEST, SIDE * each.aspect) for each in pictures]
    left, top = (2 * LINE if lines > 1 else GAP), 3.2 * LINE
    bottom = top + lines * (SIDE + GAP)
    page = Page(left + sum(widths) + GAP * len(widths), bottom + 5 * LINE)
    page.title(f"{figure.title} - {scale} scale")
    for line in range(lines if lines > 1 else 0):
        drawing_at = top + line * (SIDE + GAP) + 0.3 * SIDE
        page.text(GAP, drawing_at, LABELS[figure.steps[line]], rotation=90)
    for column, width, seen in zip(columns, widths, pictures, strict=True):
        middle = left + width / 2
        page.text(middle, top - 1.3 * LINE, column.heading, ha="center")
        for line, step in enumerate(column.steps):
            place = (middle - SIDE * seen.aspect / 2, top + line * (SIDE + GAP), SIDE * seen.aspect, SIDE)
            show(page.axes(*place), seen, crops, column.case, step)
        page.text(middle, bottom, column.note, ha="center", size=7)
        left += width + GAP
    page.text(page.width / 2, page.height - 1.5 * LINE, LEGEND, ha="center", size=7)
    return page.drawing


def columns_of(
    figure: Heatmaps, skeleton: Skeleton, crops: Crops, cases: Sequence[Case], moves: Mapping[int, Moves]
) -> list[Column]:
    """A column a person; the steps of one person alone stand side by side."""
    notes = [note(crops.person[case.person], case, moves[case.joint]) for case in cases]
    if len(cases) > 1:
        letters = "abcdefghijklmnop"
        return [
            Column(f"({letter}) {skeleton.joints[case.joint]}", case, figure.steps, each)
            for letter, case, each in zip(letters, cases, notes, strict=False)
        ]
    (case,), (each,) = cases, notes
    whose = {step: skeleton.joints[shown[0].joint] for step, shown in case.steps.items()}
    last = figure.steps[-1]
    return [
        Column(
            LABELS[step] + ("" if step == "stacked" else f", {whose[step]}"), case, [step], each if step == last else ""
        )
        for step in figure.steps
    ]


def note(person: str, case: Case, moves: Moves) -> str:
    """How far the unit moved the maximum of this person, and how often it did so for better or worse."""
    people, nearer, farther = moves.shares
    before, after = (each[case.person] for each in moves)
    return (
        f"{person}: {before:.2f} to {after:.2f} box sides\n"
        f"of {people:,} people\n{nearer:.1f} % nearer, {farther:.1f} % farther"
    )


def show(axes: Axes, seen: Picture, crops: Crops, case: Case, step: Step) -> None:
    """The maps of one step over the person in grey."""
    left, right, bottom, top = seen.extent
    under(axes, seen)
    shown = case.steps[step]
    if len(shown) == 1:
        joint, values = shown[0]
        lay(axes, values, COLOURS, 0.8)
        mark(axes, values, label_of(crops, case.person, joint))
        corner(axes, f"{values.min():.2f} to {values.max():.2f}")
    else:
        initial, diffused = shown
        lay(axes, diffused.map, STACKED[1], 0.6)
        lay(axes, initial.map, STACKED[0], 0.8)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
