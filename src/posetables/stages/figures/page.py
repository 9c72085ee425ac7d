"""What the figures have in common: style, colours of layers, and people cut out of the stored crops."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from posetables.data.people import Crops
from posetables.data.skeletons import Skeleton
from posetables.stages.crop import GREY

STYLE: dict[Any, Any] = {"svg.hashsalt": "posetables", "svg.fonttype": "none", "font.size": 8}
"""Equal content gives equal bytes; text stays text."""

SVG: dict[str, Any] = {"format": "svg", "dpi": 150, "metadata": {"Date": None}}
"""How a drawing is saved. The resolution is that of the images in it, whatever that of the crops is."""

SMOOTH = "hanning"
"""Interpolation of images: one that neither shows the pixels of small crops nor aliases large ones."""

LAYERS = ("#d55e00", "#f0e442", "#56b4e9", "#e377c2", "#2ca02c")
"""Colour of each layer of a hierarchy, from the root outwards: told apart by colour-blind readers too."""


OUTLINE = [withStroke(linewidth=2.2, foreground="black")]
"""Around what is drawn in white: it shows on any image."""


class Picture(NamedTuple):
    """A person on the image, as `imshow` takes it."""

    pixels: np.ndarray
    """(h, w, 3) uint8."""
    extent: tuple[float, float, float, float]
    """Left, right, bottom, top in box coordinates, y downwards."""

    @property
    def aspect(self) -> float:
        """Width over height."""
        height, width = self.pixels.shape[:2]
        return float(width / height)


def picture(crops: Crops, person: int, aspect: float = 1.0) -> Picture:
    """The person's box without what lies outside of the image. aspect: its width over its height."""
    density, middle = float(crops.density[person]), crops.store.shape[-1] / 2
    (above, below), (before, behind) = (
        (max(0, math.ceil(middle - half)), math.floor(middle + half)) for half in (density / 2, aspect * density / 2)
    )
    box = crops.store[crops.row[person], :, above:below, before:behind].transpose(1, 2, 0)
    inside = (box != GREY).any(2)
    (top, bottom), (left, right) = _ends(inside.any(1)), _ends(inside.any(0))
    ends = (np.array([before + left, before + right, above + bottom, above + top]) - middle) / density
    return Picture(box[top:bottom, left:right], (ends[0], ends[1], ends[2], ends[3]))


def corner(axes: Axes, text: str) -> None:
    """Text in the upper left corner of a picture."""
    axes.text(0.03, 0.97, text, color="white", size=6, va="top", transform=axes.transAxes, path_effects=OUTLINE)


def evenly_spaced(people: int, count: int) -> list[int]:
    """Numbers of `count` people, from the middle of each of as many equal parts; of all, where there are fewer."""
    taken = min(people, count)
    return [(2 * part + 1) * people // (2 * taken) for part in range(taken)]


def _ends(inside: np.ndarray) -> tuple[int, int]:
    """First and last line that is image; of all lines, where none is. The outermost is half grey."""
    lines = np.flatnonzero(inside)
    if len(lines) < 3:
        return 0, len(inside)
    return int(lines[0] + (lines[0] > 0)), int(lines[-1] + (lines[-1] == len(inside) - 1))


class Page:
    """A drawing that is laid out in inches from its top left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.drawing = Figure(figsize=(width, height))

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        place = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.drawing.add_axes(place)

    def text(self, left: float, top: float, text: str, **style: Any) -> None:
        """Text whose first line begins at `top`."""
        self.drawing.text(left / self.width, 1 - top / self.height, text, va="top", **style)

    def title(self, text: str) -> None:
        self.text(self.width / 2, 0.05, text, ha="center", size=10)


def kinds_of_layers(skeletons: Iterable[Skeleton]) -> list[str]:
    """What each layer of the hierarchies holds, left and right under one name."""
    held: list[dict[str, None]] = []
    for skeleton in skeletons:
        for number, layer in enumerate(skeleton.layers):
            held += [{}] * (number == len(held))
            kinds = (skeleton.joints[joint].removeprefix("left ").removeprefix("right ") for joint in layer)
            held[number] = held[number] | dict.fromkeys(kinds)
    return [", ".join(kinds) for kinds in held]


def legend_of_layers(skeletons: Iterable[Skeleton]) -> list[Line2D]:
    """An entry of a legend for each layer."""
    return [
        Line2D([], [], color=colour, marker="o", label=f"layer {number}: {kinds}")
        for number, (colour, kinds) in enumerate(zip(LAYERS, kinds_of_layers(skeletons), strict=False), 1)
    ]
