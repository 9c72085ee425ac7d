"""Draw the curves of a figure: PCK at every threshold, of our networks and of published predictions alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Drawing

from posetables.data import skeletons
from posetables.metrics.curves import curves
from posetables.recipe import is_released
from posetables.stages.drawing import STYLE, SVG
from posetables.stages.score import read_pairs
from posetables.stages.scoring import joints_of, pck_distances

if TYPE_CHECKING:
    from posetables.recipe import Curves, Panel, Tested

COLUMNS, PANEL_INCHES = 3, (3.2, 3.4)


def draw(
    figure: Curves,
    scale: str,
    tested: Mapping[str, Tested],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): the rate of every panel and row at every threshold, in per cent."""
    last, step = figure.thresholds
    thresholds = np.linspace(0, last, round(last / step) + 1)
    distances = {name: distances_of(recipe, name, inputs) for name, recipe in tested.items()}
    drawn = {
        title: {
            row: curve(distances[name], panel, tested[name], thresholds)
            for row, name in panel.rows.items()
            if name is not None
        }
        for title, panel in figure.panels.items()
    }
    with outputs["values"].open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("panel", "column", "row", "experiment", "threshold", "value"))
        for title, panel in figure.panels.items():
            for row, values in drawn[title].items():
                for threshold, value in zip(thresholds, values, strict=True):
                    writer.writerow((title, panel.column, row, panel.rows[row], f"{threshold:.4g}", value))
    with mpl.rc_context(STYLE):
        plot(figure, scale, drawn, thresholds).savefig(outputs["figure"], **SVG)
    return {"curves": sum(map(len, drawn.values()))}


def distances_of(recipe: Tested, name: str, inputs: Mapping[str, Mapping[str, Path]]) -> np.ndarray:
    """(N, J) of one method, in units of the normaliser."""
    pairs = read_pairs(recipe, inputs[f"people:{name}"]["people"], inputs[f"predictions:{name}"]["predictions"])
    return pck_distances(pairs, skeletons.named(recipe.skeleton))


def curve(distances: np.ndarray, panel: Panel, recipe: Tested, thresholds: np.ndarray) -> np.ndarray:
    """(T,) of the panel's column."""
    group = joints_of(skeletons.named(recipe.skeleton))[panel.column]
    values: np.ndarray = curves(distances, [group], thresholds.tolist())[:, 0]
    return values


def plot(figure: Curves, scale: str, drawn: Mapping[str, Mapping[str, np.ndarray]], thresholds: np.ndarray) -> Drawing:
    """Panels side by side; ours drawn whole, published predictions dashed."""
    width, rows = min(COLUMNS, len(drawn)), -(-len(drawn) // COLUMNS)
    drawing = Drawing(figsize=(PANEL_INCHES[0] * width, PANEL_INCHES[1] * rows + 0.3), layout="constrained")
    for axes, (title, values) in zip(drawing.subplots(rows, width, squeeze=False).flat, drawn.items(), strict=False):
        for row, value in values.items():
            published = is_released(figure.panels[title].rows[row] or "")
            axes.plot(thresholds, value, "--" if published else "-", label=f"{row} ({value[-1]:.1f})")
        missing = [row for row, name in figure.panels[title].rows.items() if name is None]
        axes.set(title=title, xlim=(0, thresholds[-1]), ylim=(0, 100), xlabel="normalised distance", ylabel="PCK, %")
        axes.grid(alpha=0.3)
        for row in missing:
            axes.plot([], [], " ", label=f"{row}: no experiment")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=6, frameon=False)
    for axes in drawing.axes[len(drawn) :]:
        axes.remove()
    drawing.suptitle(f"{figure.title} - {scale} scale")
    return drawing
