"""Maps of a network over the people that it sees: one pass for each person, and how a map is laid over a picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from torch import Tensor, nn

from posetables.data import skeletons
from posetables.data.augment import Sampler, placed
from posetables.data.codecs import peaks
from posetables.data.loading import testing_batches
from posetables.data.people import Crops, read_crops
from posetables.progress import progress
from posetables.stages import network as networks
from posetables.stages.figures.page import OUTLINE, SMOOTH, Picture

if TYPE_CHECKING:
    from posetables.recipe import Experiment, Grid

BATCH = 32

COLOURS = mpl.colormaps["inferno"]


def trained(recipe: Experiment, weights: Path, device: torch.device) -> nn.Module:
    """The network of an experiment, ready to be tested."""
    network = networks.build(recipe.network, recipe.maps_of)
    networks.load(network, "", weights)
    return network.to(device).eval()


def people_of(recipe: Experiment, folder: Path) -> Crops:
    """The test split in a folder of crops: boxes as the network sees them, labels of the joints that it has maps of."""
    joints = skeletons.named(recipe.skeleton).numbers(skeletons.named(recipe.maps_of))
    return read_crops(folder, recipe.test.split, recipe.labels, joints, aspect=recipe.aspect)


def images_of(recipe: Experiment, network: nn.Module, crops: Crops, device: torch.device) -> Iterator[Tensor]:
    """Everybody in order, neither scaled nor flipped: batches of (B, 3, h, w)."""
    sampler, size = Sampler(recipe.pixels, device), networks.shape(network, recipe)
    with progress(f"{recipe.name}: maps", len(crops)) as advance:
        for batch in testing_batches(crops, BATCH):
            upright = torch.eye(2, device=device).expand(len(batch.people), 2, 2)
            images = sampler(batch.crops, batch.density.to(device), upright, size)
            yield images.to(memory_format=torch.channels_last)
            advance(len(batch.people))


def box_of(height: int, width: int) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of a map of h x w cells in box coordinates, as `imshow` takes them."""
    half = width / height / 2
    return -half, half, 0.5, -0.5


def peak_of(maps: Tensor, shift: float = 0.0) -> np.ndarray:
    """Maxima (N, 2) of maps (N, h, w), x and y in box coordinates.

    shift: of what a cell stands for from its middle, in heights of the box (`shift_of`).
    """
    rows, columns = maps.shape[-2:]
    cells, _ = peaks(maps[:, None])
    place: np.ndarray = placed(cells[:, 0], rows, (rows, columns)).numpy()
    return place + shift


def shift_of(grid: Grid, cells: int, pixels: int) -> float:
    """From the middle of a cell to the pixel that it stands for, in heights of the box: right and down.

    grid: of the map's codec; cells: height of the map; pixels: that of the network's input.
    """
    return 0.0 if grid == "centres" else 0.5 / pixels - 0.5 / cells


def distances_of(maps: Tensor, crops: Crops, joint: int, shift: float = 0.0) -> np.ndarray:
    """From the maxima of maps (N, h, w) to the labels of a joint: (N,) heights of the box, NaN where not labelled."""
    truth = np.where(crops.labelled[:, joint, None], crops.joints[:, joint], np.nan)
    distances: np.ndarray = np.hypot(*(peak_of(maps, shift) - truth).T)
    return distances


def nearest_from_furthest(before: np.ndarray, after: np.ndarray, rank: int) -> int:
    """The person whose distance became less by the most but for `rank` others."""
    return int(np.argsort(-(before - after), kind="stable")[rank])  # NaN comes last


def lay(axes: Axes, values: np.ndarray, colours: Colormap, opacity: float, shift: float = 0.0) -> None:
    """A map (h, w), the less transparent the greater it is."""
    strength = (values - values.min()) / (np.ptp(values) or 1)
    left, right, bottom, top = (end + shift for end in box_of(*values.shape))
    axes.imshow(
        strength,
        colours,
        vmin=0,
        vmax=1,
        alpha=opacity * strength,
        extent=(left, right, bottom, top),
        interpolation=SMOOTH,
    )


def under(axes: Axes, seen: Picture) -> None:
    """The person in grey, whom maps are laid over."""
    axes.imshow(seen.pixels.mean(2), "gray", vmin=0, vmax=255, extent=seen.extent, interpolation=SMOOTH)


def mark(axes: Axes, values: np.ndarray, label: np.ndarray | None, shift: float = 0.0) -> None:
    """A cross at the maximum of a map, and a ring at the label, if there is one."""
    axes.plot(*peak_of(torch.from_numpy(values)[None], shift)[0], "x", color="white", path_effects=OUTLINE)
    if label is not None:
        axes.plot(*label, "o", color="#00e5ff", markersize=8, fillstyle="none", path_effects=OUTLINE)


def label_of(crops: Crops, person: int, joint: int) -> np.ndarray | None:
    """Where a joint is labelled, in box coordinates; None where it is not."""
    place: np.ndarray = crops.joints[person, joint]
    return place if crops.labelled[person, joint] else None
