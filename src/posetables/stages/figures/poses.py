"""Draw poses on the images of test people, joints and limbs in the colours of their layers (HCRN Fig. 7 and 8, MCA Fig.
9c and 11, MSSA Fig. 6 and 7)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Drawing
from matplotlib.patheffects import withStroke

from posetables.data import skeletons
from posetables.data.people import read_columns, read_crops
from posetables.data.skeletons import Skeleton
from posetables.stages.figures.page import (
    LAYERS,
    SMOOTH,
    STYLE,
    SVG,
    Page,
    Picture,
    corner,
    evenly_spaced,
    legend_of_layers,
    picture,
)

if TYPE_CHECKING:
    from posetables.figures import PoseRow, Poses
    from posetables.recipe import Tested

WIDTH, TALLEST, GAP, LINE = 11.0, 2.2, 0.04, 0.22
"""Inches: of the figure, of a picture, between pictures, of a line of text."""

CHOSEN = {
    "even": "evenly spaced",
    "worst": "those furthest from their labels first; thin and grey: labels; in the corner: mean distance in box sides",
}
"""How people are chosen -> what a caption says."""


LABELLED: dict[str, Any] = {
    "colors": "#e0e0e0",
    "linewidths": 0.9,
    "path_effects": [withStroke(linewidth=1.7, foreground="black")],
}
"""How limbs of labels are drawn."""


class Posed(NamedTuple):
    """A person and the pose that was predicted."""

    name: str
    skeleton: Skeleton
    picture: Picture
    joints: np.ndarray
    """(J, 2) pixels of the image."""
    placed: np.ndarray
    """(J, 2) box coordinates."""
    error: float
    """Mean distance from the labels in sides of the box; NaN where nothing is labelled or found."""
    labels: np.ndarray | None = None
    """(J, 2) box coordinates, NaN where not labelled; None: they are not drawn."""


class Shown(NamedTuple):
    """A row of the figure."""

    caption: str
    experiment: str
    skeleton: Skeleton
    people: Sequence[Posed]


def draw(
    figure: Poses,
    scale: str,
    tested: Mapping[str, Tested],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): every joint that is drawn, in pixels of its image."""
    shown = {
        row.title: posed(row, tested[row.experiment], row.experiment, inputs)
        for row in figure.rows
        if row.experiment is not None
    }
    with outputs["values"].open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "experiment", "person", "joint", "layer", "x", "y", "error"))
        for title, row in shown.items():
            layers = {joint: number for number, layer in enumerate(row.skeleton.layers, 1) for joint in layer}
            for person in row.people:
                error = "" if np.isnan(person.error) else f"{person.error:.4f}"
                for joint, name in enumerate(row.skeleton.joints):
                    x, y = (f"{each:.2f}" for each in person.joints[joint])
                    writer.writerow((title, row.experiment, person.name, name, layers[joint], x, y, error))
    with mpl.rc_context(STYLE):
        plot(figure, scale, shown).savefig(outputs["figure"], **SVG)
    return {"people": sum(len(row.people) for row in shown.values())}


def posed(row: PoseRow, recipe: Tested, name: str, inputs: Mapping[str, Mapping[str, Path]]) -> Shown:
    """People of the test split, chosen as the row says, with what was predicted for them."""
    skeleton = skeletons.named(recipe.skeleton)
    folder = inputs[f"crops:{name}"]["crops"].parent
    crops = read_crops(folder, recipe.test.split, recipe.labels, range(len(skeleton.joints)))
    predicted = read_columns(inputs[f"predictions:{name}"]["predictions"], "person", "joints")
    lines = {person: line for line, person in enumerate(predicted["person"].tolist())}
    joints = predicted["joints"][[lines[person] for person in crops.person]].reshape(len(crops), -1, 2)
    placed = (joints - crops.center[:, None]) / crops.side[:, None, None]
    labels = np.where(crops.labelled[..., None], crops.joints, np.nan)
    errors = errors_of(placed, labels)
    chosen = worst(errors, row.people) if row.choose == "worst" else evenly_spaced(len(crops), row.people)
    people = [
        Posed(
            crops.person[i],
            skeleton,
            picture(crops, i),
            joints[i],
            placed[i],
            float(errors[i]),
            labels[i] if row.choose == "worst" else None,
        )
        for i in chosen
    ]
    return Shown(f"{row.title}: {len(people)} of {len(crops):,} people, {CHOSEN[row.choose]}", name, skeleton, people)


def errors_of(placed: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) mean distances of poses from labels (N, J, 2), over joints that are labelled and found; NaN where none."""
    distances = np.linalg.norm(placed - labels, axis=-1)
    counted = ~np.isnan(distances)
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.where(counted, distances, 0).sum(1) / counted.sum(1)
    return means


def worst(errors: np.ndarray, count: int) -> list[int]:
    """Numbers of the `count` people with the greatest errors, the greatest first; of all who have one, where there are
    fewer."""
    order: list[int] = np.argsort(-errors, kind="stable").tolist()  # NaN comes last
    return order[: min(count, int((~np.isnan(errors)).sum()))]


def plot(figure: Poses, scale: str, shown: Mapping[str, Shown]) -> Drawing:
    """Lines of pictures; above the people of each row what they are."""
    parts = list(parts_of(figure, scale, shown))
    heights = [LINE if isinstance(part, str) else height_of(part) + GAP for part in parts]
    page = Page(WIDTH, sum(heights) + 3 * LINE)
    page.title(f"{figure.title} - {scale} scale")
    top = 1.5 * LINE
    for part, height in zip(parts, heights, strict=True):
        if isinstance(part, str):
            page.text(GAP, top + 0.05, part)
        else:
            left = 0.0
            for person in part:
                width = person.picture.aspect * (height - GAP)
                show(page.axes(left, top, width, height - GAP), person)
                left += width + GAP
        top += height
    handles = legend_of_layers(row.skeleton for row in shown.values())
    page.drawing.legend(handles=handles, loc="lower center", ncols=max(1, len(handles)), frameon=False)
    return page.drawing


def parts_of(figure: Poses, scale: str, shown: Mapping[str, Shown]) -> Iterator[str | Sequence[Posed]]:
    """From top to bottom: captions, and the people who stand side by side."""
    for row in figure.rows:
        if row.title not in shown:
            yield f"{row.title}: no experiment at {scale} scale"
            continue
        caption, _, _, people = shown[row.title]
        yield caption
        yield from (people[first : first + figure.columns] for first in range(0, len(people), figure.columns))


def height_of(line: Sequence[Posed]) -> float:
    """Inches at which pictures fill the width; those of a short line are as high as may be."""
    free = WIDTH - GAP * (len(line) - 1)
    return min(TALLEST, free / sum(person.picture.aspect for person in line))


def labelled_limbs(skeleton: Skeleton, labels: np.ndarray) -> Iterator[np.ndarray]:
    """(2, 2) ends of the limbs of which both are labelled."""
    for joint in range(len(labels)):
        if (parent := skeleton.parent(joint)) is not None and not np.isnan(labels[[joint, parent]]).any():
            yield labels[[joint, parent]]


def show(axes: Axes, person: Posed) -> None:
    """Joints in the colours of their layers; a limb has that of its outer joint. Beneath lie labels that are drawn."""
    left, right, bottom, top = person.picture.extent
    axes.imshow(person.picture.pixels, extent=person.picture.extent, interpolation=SMOOTH)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    if person.labels is not None:
        axes.add_collection(LineCollection(list(labelled_limbs(person.skeleton, person.labels)), **LABELLED))
        corner(axes, f"{person.error:.2f}")
    outline = [withStroke(linewidth=2.4, foreground="black")]
    layers = list(zip(LAYERS, person.skeleton.layers, strict=False))
    for colour, layer in reversed(layers):
        ends = [(joint, parent) for joint in layer if (parent := person.skeleton.parent(joint)) is not None]
        limbs = [person.placed[list(each)] for each in ends]
        axes.add_collection(LineCollection(limbs, colors=colour, linewidths=1.4, path_effects=outline))
    for colour, layer in layers:
        x, y = person.placed[list(layer)].T
        axes.plot(x, y, "o", color=colour, markersize=3.2, markeredgecolor="black", markeredgewidth=0.4)
