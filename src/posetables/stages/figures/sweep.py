"""Draw one number of experiments that differ in one thing, with its intervals (Graph-PCNN Fig. 5)."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from posetables.recipe import pick
from posetables.stages.figures.page import STYLE, SVG

if TYPE_CHECKING:
    from posetables.figures import Sweep
    from posetables.recipe import Experiment

INCHES = 5.0, 3.6


class Score(NamedTuple):
    """A number and the ends of its 95 % interval, in the unit of its file."""

    value: float
    low: float
    high: float


def draw(
    figure: Sweep,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): a line an experiment that is drawn.

    Raises:
        InputError: the scores of an experiment have no such column.
    """
    where = f"{figure.name}.column"
    scores = {name: score(inputs[f"scores:{name}"]["scores"], figure.column, where) for name in tested}
    drawn = {row: None if name is None else scores[name] for row, name in figure.rows.items()}
    with outputs["values"].open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "experiment", "metric", "column", *Score._fields))
        for row, name in figure.rows.items():
            if name is not None:
                writer.writerow((row, name, *figure.column, *scores[name]))
    with mpl.rc_context(STYLE):
        plot(figure, scale, drawn).savefig(outputs["figure"], **SVG)
    return {"experiments": len(scores)}


def score(path: Path, column: tuple[str, str], where: str) -> Score:
    """One number of a file of scores."""
    metric, name = column
    columns = pick(json.loads(path.read_text()), metric, "metric", where)
    found = pick(columns, name, f"column of {metric}", where)
    return Score(found["value"], found["low"], found["high"])


def plot(figure: Sweep, scale: str, drawn: Mapping[str, Score | None]) -> Drawing:
    """A point a row, at equal distances in the order of the rows; what is missing is named below its place."""
    drawing = Drawing(figsize=INCHES, layout="constrained")
    axes = drawing.subplots()
    found = {place: each for place, each in enumerate(drawn.values()) if each is not None}
    whole = [found[place].value if place in found else math.nan for place in range(len(drawn))]
    (line,) = axes.plot(whole, "o-", linewidth=1, markersize=4)  # broken where a number is missing
    ends = [[each.value - each.low for each in found.values()], [each.high - each.value for each in found.values()]]
    values = [each.value for each in found.values()]
    axes.errorbar(list(found), values, ends, fmt="none", ecolor=line.get_color(), elinewidth=0.8, capsize=3)
    for place, value in zip(found, values, strict=True):
        axes.annotate(f"{value:.1f}", (place, value), (6, 5), textcoords="offset points", size=7)
    labels = [row if each is not None else f"{row}\nno experiment\nat {scale} scale" for row, each in drawn.items()]
    axes.set_xticks(range(len(labels)), labels)
    axes.set(xlabel=figure.axis, ylabel=figure.score, xlim=(-0.5, len(labels) - 0.5))
    axes.grid(alpha=0.3)
    drawing.suptitle(f"{figure.title} - {scale} scale\nbars: 95 % intervals")
    return drawing
