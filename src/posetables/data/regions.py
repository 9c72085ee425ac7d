"""Maps of several square regions around one person, pasted back onto the image: MCA's image pyramid (sec. 7).

The network reads a smaller or larger region each time, at the one input size that it was trained with. As the released
code has it, every map is brought to the pixels of the image and counts as 0 outside of its region, and the joint is the
maximum of the mean over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from posetables.data.codecs import peaks


def joints_on_image(maps: Tensor, scales: Sequence[float], center: np.ndarray, side: float) -> tuple[Tensor, Tensor]:
    """Pixels (J, 2) x, y of the image where the mean map of each joint is largest, and its value there (J,).

    maps: (S, J, h, w) of S regions, each the person's box times `scales` (S,); center, side: of the box, in pixels of
    the image. A map is read bilinearly at the centres of pixels, beyond its outermost cells as these are.

    The canvas is the union of the regions, beyond the edge of the image too: where that is, nobody here knows. It is
    made of one joint at a time: that of a person 3,000 pixels across has 36 MB, those of 16 joints would have 600.
    """
    xs, ys = (pixels(middle, max(scales) * side) for middle in center)
    height, width = maps.shape[-2:]
    rows = [bilinear(ys, center[1], scale * side, height).to(maps) for scale in scales]
    columns = torch.cat([bilinear(xs, center[0], scale * side, width).to(maps) for scale in scales], 1).T
    tall = torch.cat([row @ each for row, each in zip(rows, maps, strict=True)], 2)  # (J, H, S w)
    found = [peaks((each @ columns)[None, None]) for each in tall]
    place = torch.cat([cell[0] for cell, _ in found]) + torch.tensor([xs[0], ys[0]], device=maps.device)
    return place, torch.cat([value[0] for _, value in found]) / len(scales)


def pixels(middle: float, length: float) -> np.ndarray:
    """Coordinates of the pixels whose centres lie within `length` around `middle`; at least the nearest one."""
    nearest = round(middle)
    first, last = math.ceil(middle - length / 2), math.floor(middle + length / 2)
    return np.arange(min(first, nearest), max(last, nearest) + 1)


def bilinear(at: np.ndarray, middle: float, length: float, cells: int) -> Tensor:
    """Weights (P, cells) float64 by which cells over a length around the middle make the value at each of P pixels."""
    place = torch.from_numpy((at - middle) / length)
    cell = ((place + 0.5) * cells - 0.5).clamp(0, cells - 1)
    weights = (1 - (cell[:, None] - torch.arange(cells)).abs()).clamp(min=0)
    return weights * (place.abs() <= 0.5)[:, None]
