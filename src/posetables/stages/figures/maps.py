"""Draw maps that networks make of test people, of joints or of where they attend to (MCA Fig. 1, 2, 5, 6 and 9a-b, MSSA
Fig. 3 and 4)."""

from __future__ import annotations

import csv
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from torch import Tensor, nn

from posetables import device as devices
from posetables.data import skeletons
from posetables.data.codecs import map_codec_of
from posetables.data.people import Crops
from posetables.data.skeletons import Skeleton
from posetables.errors import InputError
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
    shift_of,
    trained,
    under,
)
from posetables.stages.figures.page import SMOOTH, STYLE, SVG, Page, Picture, corner, evenly_spaced, picture

if TYPE_CHECKING:
    from _csv import Writer

    from posetables.figures import MapColumn, Maps
    from posetables.recipe import Codec, Experiment, Points

SIDE, NARROWEST, GAP, LINE = 1.6, 1.1, 0.06, 0.14
"""Inches: height of a picture, least width of a column, between pictures, of a line of text."""

LETTER, LEAST = 0.065, 6.0
"""Inches: width of a letter of a heading, and of the narrowest page, which has room for a title."""

LEGEND = (
    "colours: from the least to the greatest value of each map, dark to bright; cross: maximum of a joint's map; "
    "ring: label"
)

COLUMNS = ("person", "column", "experiment", "map", "joint", "x", "y", "value")


class Drawn(NamedTuple):
    """A column of the figure."""

    column: MapColumn
    joint: int | None
    name: str
    """Of the map among those of the network."""
    maps: Tensor
    """(N, h, w) of all test people: probabilities, or raw attention."""
    shift: float = 0.0
    """Of what a cell stands for from its middle, in heights of the box."""


def draw(
    figure: Maps,
    scale: str,
    tested: Mapping[str, Experiment],
    inputs: Mapping[str, Mapping[str, Path]],
    outputs: Mapping[str, Path],
) -> dict[str, Any]:
    """Write `figure` (SVG) and `values` (CSV): the maximum of every map that is drawn, in pixels of the image.

    Raises:
        InputError: a network has no map of a name, or none of a joint.
    """
    if not figure.columns:
        raise InputError(f"{figure.name}: its experiments are left out at {scale} scale; draw it at another")
    first = tested[figure.experiments[0]]
    skeleton, device = skeletons.named(first.maps_of), devices.choose(first.compute)
    crops = people_of(first, inputs[f"crops:{first.name}"]["crops"].parent)
    found: dict[int, Drawn] = {}
    for name, recipe in tested.items():
        mine = {number: column for number, column in enumerate(figure.columns) if column.experiment == name}
        found |= maps_of(recipe, skeleton, mine, inputs[f"weights:{name}"]["weights"], crops, device)
    drawn = [found[number] for number in range(len(figure.columns))]
    people, chosen = choose(figure, drawn, crops)
    with outputs["values"].open("w", newline="") as file:
        write_values(csv.writer(file, lineterminator="\n"), crops, drawn, people)
    with mpl.rc_context(STYLE):
        drawing = plot(f"{figure.title} - {scale} scale", crops, drawn, people, chosen, first.aspect)
        drawing.savefig(outputs["figure"], **SVG)
    return {"people": len(crops), "device": devices.name(device)}


def maps_of(
    recipe: Experiment,
    skeleton: Skeleton,
    columns: Mapping[int, MapColumn],
    weights: Path,
    crops: Crops,
    device: torch.device,
) -> dict[int, Drawn]:
    """The columns of one network, by their numbers. Of all channels only what is drawn is kept: of MPII's people they
    would fill the memory."""
    network = trained(recipe, weights, device)
    names, shifts, parts = dict[int, str](), dict[int, float](), {number: list[Tensor]() for number in columns}
    with torch.inference_mode():
        for images in images_of(recipe, network, crops, device):
            with devices.precision(recipe.compute, device):
                outputs, attention = look(network, images)
            for number, column in columns.items():
                names[number] = (name := name_of(column, [*outputs, *attention]))
                maps = map_of(column, name, outputs, attention, recipe.codecs, skeleton).cpu()
                parts[number].append(maps)
                if name in outputs:
                    grid = map_codec_of(name, recipe.codecs).recipe.grid
                    shifts[number] = shift_of(grid, maps.shape[1], images.shape[2])
    return {
        number: Drawn(
            column,
            None if column.joint is None else skeleton.index(column.joint),
            names[number],
            torch.cat(parts[number]),
            shifts.get(number, 0.0),
        )
        for number, column in columns.items()
    }


def look(network: nn.Module, images: Tensor) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
    """Outputs (B, C, h, w) of a network, and the attention maps of one that can be looked into."""
    into: Callable[[Tensor], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]] | None = getattr(network, "look", None)
    return (network(images), {}) if into is None else into(images)


def name_of(column: MapColumn, names: Sequence[str]) -> str:
    """The map that a column means, of those that a network makes."""
    fitting = [name for name in names if fnmatch(name, column.map)]
    if not fitting:
        raise InputError(f"{column.experiment}: no map {column.map!r}; its maps are {', '.join(names)}")
    return fitting[0] if column.take == "first" else fitting[-1]


def map_of(
    column: MapColumn,
    name: str,
    outputs: Mapping[str, Tensor],
    attention: Mapping[str, Tensor],
    codecs: Mapping[str, Codec | Points],
    skeleton: Skeleton,
) -> Tensor:
    """(B, h, w) of the joint of a column, or the maximum over all channels: a single one is drawn as it is."""
    maps = map_codec_of(name, codecs).activate(outputs[name]) if name in outputs else attention[name].float()
    if column.joint is None:
        return maps.amax(1)
    if maps.shape[1] != len(skeleton.joints):
        raise InputError(f"{column.experiment}: {name} is {maps.shape[1]} map(s), not one a joint; leave out its joint")
    return maps[:, skeleton.index(column.joint)]


def choose(figure: Maps, drawn: Sequence[Drawn], crops: Crops) -> tuple[list[int], str]:
    """Who is drawn, and what the figure says of it."""
    if figure.choose == "nearer" and figure.compared is not None:
        first, last = (drawn[number] for number in figure.compared)
        assert first.joint is not None
        before, after = (distances_of(each.maps, crops, first.joint, each.shift) for each in (first, last))
        count = min(figure.people, int((~np.isnan(before)).sum()))
        people = [nearest_from_furthest(before, after, rank) for rank in range(count)]
        ends = f"{first.column.joint}, {first.column.title!r} to {last.column.title!r}"
        return (
            people,
            f"{count} of {len(crops):,} people, whose maximum came nearest to the label from furthest ({ends})",
        )
    people = evenly_spaced(len(crops), figure.people)
    return people, f"{len(people)} of {len(crops):,} people, evenly spaced"


def write_values(writer: Writer, crops: Crops, drawn: Iterable[Drawn], people: Sequence[int]) -> None:
    """A line a map."""
    writer.writerow(COLUMNS)
    for column, _, name, maps, shift in drawn:
        for i, values, place in zip(people, maps[people], peak_of(maps[people], shift), strict=True):
            x, y = (f"{each:.1f}" for each in place * crops.side[i] + crops.center[i])
            title, joint = column.title, column.joint or ""
            writer.writerow((crops.person[i], title, column.experiment, name, joint, x, y, f"{values.max():.4g}"))


def plot(
    title: str, crops: Crops, drawn: Sequence[Drawn], people: Sequence[int], chosen: str, aspect: float = 1.0
) -> Drawing:
    """A line a person: the image, then the columns. aspect: of the boxes."""
    pictures = [picture(crops, person, aspect) for person in people]
    width = max(NARROWEST, *(SIDE * seen.aspect for seen in pictures))
    headings = [textwrap.wrap(each, int(width / LETTER)) for each in ("image", *map(heading, drawn))]
    filled = LINE + len(headings) * (width + GAP)
    told = textwrap.wrap(f"{chosen}; {LEGEND}", int(max(filled, LEAST) / LETTER))
    top = (2 + max(map(len, headings))) * LINE
    bottom = top + len(people) * (SIDE + GAP)
    page = Page(max(filled, LEAST), bottom + (len(told) + 1) * LINE)
    page.title(title)
    left = (page.width - filled) / 2 + LINE
    middles = [left + width / 2 + number * (width + GAP) for number in range(len(headings))]
    for middle, lines in zip(middles, headings, strict=True):
        page.text(middle, top - len(lines) * LINE, "\n".join(lines), ha="center", size=7)
    for line, (person, seen) in enumerate(zip(people, pictures, strict=True)):
        above = top + line * (SIDE + GAP)
        page.text(left - LINE, above, crops.person[person], rotation=90, size=6)
        for middle, each in zip(middles, (None, *drawn), strict=True):
            size = SIDE * seen.aspect, SIDE
            show(page.axes(middle - size[0] / 2, above, *size), seen, crops, person, each)
    page.text(page.width / 2, bottom, "\n".join(told), ha="center", size=7)
    return page.drawing


def heading(drawn: Drawn) -> str:
    """What the figure calls a map, and what the network does."""
    return f"{drawn.column.title} ({drawn.name})" if drawn.column.title != drawn.name else drawn.name


def show(axes: Axes, seen: Picture, crops: Crops, person: int, drawn: Drawn | None) -> None:
    """The person, or a map over the person in grey."""
    left, right, bottom, top = seen.extent
    if drawn is None:
        axes.imshow(seen.pixels, extent=seen.extent, interpolation=SMOOTH)
    else:
        values = drawn.maps[person].numpy()
        under(axes, seen)
        lay(axes, values, COLOURS, 0.8, drawn.shift)
        if drawn.joint is not None:
            mark(axes, values, label_of(crops, person, drawn.joint), drawn.shift)
        corner(axes, f"{values.min():.2g} to {values.max():.2g}")
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
