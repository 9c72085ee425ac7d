"""Draw the curves of a figure: PCK or PCKh at every threshold, of our networks and of published predictions alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Drawing

from posetables.data import skeletons
from posetables.errors import InputError
from posetables.metrics.pck import correct
from posetables.recipe import is_released, pick
from posetables.stages.figures.page import STYLE, SVG
from posetables.stages.score import read_pairs
from posetables.stages.scoring import DISTANCES, MEASURES, METRICS

if TYPE_CHECKING:
    from posetables.figures import Curves
    from posetables.recipe import Tested

COLUMNS, PANEL_INCHES = 3, (3.2, 3.4)

AXES = {"pck": "PCK, %", "pckh": "PCKh, %"}
"""Distances -> what the axis of their rates says."""


def draw(
    figure: Curves,
    scale: str,
    tested: Mapping[str, Tested],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): the rate of every panel and row at every threshold, in per cent.

    Raises:
        InputError: a data set's metrics count no distances, or not in the column of a panel.
    """
    last, step = figure.thresholds
    thresholds = np.linspace(0, last, round(last / step) + 1)
    distances = {name: distances_of(recipe, name, inputs) for name, recipe in tested.items()}
    drawn = {
        title: {
            row: curve(distances[name], panel.column, tested[name], thresholds, f"{figure.name}.panels.{title}")
            for row, name in panel.rows.items()
            if name is not None
        }
        for title, panel in figure.panels.items()
    }
    measured = dict.fromkeys(AXES[METRICS[metric_of(recipe)].hits] for recipe in tested.values())
    with outputs["values"].open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("panel", "column", "row", "experiment", "threshold", "value"))
        for title, panel in figure.panels.items():
            for row, values in drawn[title].items():
                for threshold, value in zip(thresholds, values, strict=True):
                    writer.writerow((title, panel.column, row, panel.rows[row], f"{threshold:.4g}", value))
    with mpl.rc_context(STYLE):
        plot(figure, scale, drawn, thresholds, " / ".join(measured)).savefig(outputs["figure"], **SVG)
    return {"curves": sum(map(len, drawn.values()))}


def distances_of(recipe: Tested, name: str, inputs: Mapping[str, Mapping[str, Path]]) -> np.ndarray:
    """(N, J) of one method, in units of the normaliser."""
    hits = METRICS[metric_of(recipe)].hits
    people, predictions = inputs[f"people:{name}"]["people"], inputs[f"predictions:{name}"]["predictions"]
    pairs = read_pairs(recipe, people, predictions, MEASURES.get(hits, ()))
    return DISTANCES[hits](pairs, skeletons.named(recipe.skeleton))


def metric_of(recipe: Tested) -> str:
    """The first metric of the people's data set that counts distances."""
    for name in recipe.metrics:
        if name in METRICS and METRICS[name].hits in DISTANCES:
            return name
    raise InputError(f"{recipe.name}: no curves of {', '.join(recipe.metrics)}; draw a data set with PCK or PCKh")


def curve(distances: np.ndarray, column: str, recipe: Tested, thresholds: np.ndarray, where: str) -> np.ndarray:
    """(T,) of a column, as a table of the metric has it at one threshold."""
    name = metric_of(recipe)
    groups, columns = METRICS[name].groups(skeletons.named(recipe.skeleton)), METRICS[name].columns
    pick(groups, column, f"column of {name}", where)
    number, joints = list(groups).index(column), list(groups.values())
    return np.array([columns(correct(distances, each), joints, None)[number] for each in thresholds])


def plot(
    figure: Curves,
    scale: str,
    drawn: Mapping[str, Mapping[str, np.ndarray]],
    thresholds: np.ndarray,
    measured: str,
) -> Drawing:
    """Panels side by side; ours drawn whole, published predictions dashed."""
    width, rows = min(COLUMNS, len(drawn)), -(-len(drawn) // COLUMNS)
    drawing = Drawing(figsize=(PANEL_INCHES[0] * width, PANEL_INCHES[1] * rows + 0.3), layout="constrained")
    for axes, (title, values) in zip(drawing.subplots(rows, width, squeeze=False).flat, drawn.items(), strict=False):
        for row, value in values.items():
            published = is_released(figure.panels[title].rows[row] or "")
            axes.plot(thresholds, value, "--" if published else "-", label=f"{row} ({value[-1]:.1f})")
        missing = [row for row, name in figure.panels[title].rows.items() if name is None]
        axes.set(title=title, xlim=(0, thresholds[-1]), ylim=(0, 100), xlabel="normalised distance", ylabel=measured)
        axes.grid(alpha=0.3)
        for row in missing:
            axes.plot([], [], " ", label=f"{row}: no experiment")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=6, frameon=False)
    for axes in drawing.axes[len(drawn) :]:
        axes.remove()
    drawing.suptitle(f"{figure.title} - {scale} scale")
    return drawing
