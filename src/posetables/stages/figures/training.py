"""Draw the score after every epoch of some trainings, on the people whom they are validated on (MCA Fig. 10)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from posetables.errors import InputError
from posetables.stages.figures.page import STYLE, SVG

if TYPE_CHECKING:
    from posetables.figures import Trainings
    from posetables.recipe import Experiment

INCHES = 5.0, 3.6


class Point(NamedTuple):
    """One epoch."""

    stage: str
    epoch: int
    """Counted from the start of the first stage."""
    score: float
    """Per cent."""


def draw(
    figure: Trainings,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): a line a point.

    Raises:
        InputError: a training has no score.
    """
    histories = {
        name: {stage: inputs[f"history:{name}/{stage}"]["history"] for stage in recipe.stages}
        for name, recipe in tested.items()
    }
    drawn = {row: None if name is None else points(histories[name]) for row, name in figure.rows.items()}
    with outputs["values"].open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("row", "experiment", *Point._fields))
        for row, name in figure.rows.items():
            writer.writerows((row, name, *point) for point in drawn[row] or ())
    with mpl.rc_context(STYLE):
        plot(figure, scale, drawn).savefig(outputs["figure"], **SVG)
    return {"points": sum(len(line) for line in drawn.values() if line is not None)}


def points(histories: Mapping[str, Path]) -> list[Point]:
    """The scores of one experiment; its stages follow each other."""
    found: list[Point] = []
    for stage, path in histories.items():
        before = found[-1].epoch if found else 0
        with path.open(newline="") as file:
            lines = list(csv.DictReader(file))
        if not all(line.get("score") for line in lines):
            raise InputError(f"{path}: no score of every epoch; give stage {stage} a validation in params/, then train")
        found += [Point(stage, before + int(line["epoch"]), float(line["score"])) for line in lines]
    return found


def plot(figure: Trainings, scale: str, drawn: Mapping[str, list[Point] | None]) -> Drawing:
    """A line a row, with its last score."""
    drawing = Drawing(figsize=INCHES, layout="constrained")
    axes = drawing.subplots()
    for row, line in drawn.items():
        if line is None:
            axes.plot([], [], " ", label=f"{row}: no experiment at {scale} scale")
        else:
            _, epochs, scores = zip(*line, strict=True)
            axes.plot(epochs, scores, ".-", linewidth=1, markersize=3, label=f"{row} ({scores[-1]:.1f})")
    axes.set(xlabel="epoch", ylabel=figure.score)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    drawing.suptitle(f"{figure.title} - {scale} scale")
    return drawing
