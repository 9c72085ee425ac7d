"""Decoding of heatmaps as they are: where between the cells of a map its joint lies.

Cells count from 0, 0, the centre of the first one; what they stand for in the network's input is the codec's to say.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from posetables.data.codecs import peaks
from posetables.errors import InputError

LEAST = 1e-10
"""What a modulated map is at least, before its logarithm (DARK's release)."""
SMALL = {3: (1, 2, 1), 5: (1, 4, 6, 4, 1), 7: (2, 7, 14, 18, 14, 7, 2)}
"""Weights of OpenCV's small Gaussians, which do not follow its rule for sigma."""


def decode(maps: Tensor, way: Literal["maximum", "quarter", "dark"], kernel: int = 0) -> tuple[Tensor, Tensor]:
    """Cells (B, J, 2) x, y of the joints of maps (B, J, h, w), and the value (B, J) of each map's maximum.

    A map that is nowhere above 0 gives cell 0, 0, as in the releases of Simple Baselines, HRNet and DARK.

    Args:
        maps: (B, J, h, w) heights, not logits.
        way: `maximum`, the cell of the maximum; `quarter`, see `quarter_offset`; `dark`, see `dark_offset`.
        kernel: side of DARK's modulation, cells.

    Raises:
        InputError: DARK's kernel has no middle.
    """
    cells, score = peaks(maps)
    cells = torch.where((score > 0)[..., None], cells, 0)
    if way == "maximum":
        return cells.to(maps.dtype), score
    offset = quarter_offset(maps, cells) if way == "quarter" else dark_offset(maps, cells, kernel)
    return cells + offset, score


def quarter_offset(maps: Tensor, cells: Tensor) -> Tensor:
    """A quarter of a cell along x and y to the greater neighbour (B, J, 2) (Simple Baselines and HRNet,
    `get_final_preds`); nothing where these are alike, in the two first and in the last row and column."""
    near = around(maps, cells, 1)
    slope = torch.stack([near[..., 1, 2] - near[..., 1, 0], near[..., 2, 1] - near[..., 0, 1]], -1)
    return torch.where(inside(maps, cells, 1), 0.25 * slope.sign(), 0)


def dark_offset(maps: Tensor, cells: Tensor, kernel: int) -> Tensor:
    """The step -H^-1 D from each maximum to that of the Gaussian that the map is a sample of: (B, J, 2).

    Zhang et al., Distribution-Aware Coordinate Representation for Human Pose Estimation, CVPR 2020, sec. 3.1: D and H
    are the first and second derivatives of the logarithm of the modulated map; as in the release (`taylor`), the second
    ones are differences of first ones, two cells each way. No step in the two first and last rows and columns, and
    none where H has no inverse.
    """
    near = around(modulated(maps.double(), kernel), cells, 2).clamp(min=LEAST).log()
    middle, up, down = near[..., 2, :], near[..., 1, :], near[..., 3, :]
    dx, dy = (middle[..., 3] - middle[..., 1]) / 2, (down[..., 2] - up[..., 2]) / 2
    dxx = (middle[..., 4] - 2 * middle[..., 2] + middle[..., 0]) / 4
    dyy = (near[..., 4, 2] - 2 * near[..., 2, 2] + near[..., 0, 2]) / 4
    dxy = (down[..., 3] - up[..., 3] - down[..., 1] + up[..., 1]) / 4
    determinant = dxx * dyy - dxy**2
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1) / determinant[..., None]
    moves = inside(maps, cells, 2) & (determinant != 0)[..., None]
    return torch.where(moves, step, 0).to(maps.dtype)


def modulated(maps: Tensor, kernel: int) -> Tensor:
    """Maps (B, J, h, w) under a Gaussian of `kernel` x `kernel` cells, zeros outside, each as high as it was before
    (DARK's release, `gaussian_blur`)."""
    # As products of matrices: convolutions in float64 take several times as long.
    down, across = (band(gaussian(kernel), side).to(maps) for side in maps.shape[2:])
    smooth = down @ maps @ across
    return smooth * (maps.amax((2, 3), keepdim=True) / smooth.amax((2, 3), keepdim=True))


def gaussian(kernel: int) -> Tensor:
    """(kernel,) weights of the Gaussian that OpenCV takes where only the size is given, as in DARK's release."""
    if kernel < 1 or kernel % 2 == 0:
        raise InputError(f"params/: kernel: {kernel} cells have no middle; give an odd number, as 11")
    if kernel in SMALL:
        weights = torch.tensor(SMALL[kernel], dtype=torch.float64)
    else:
        sigma = 0.3 * ((kernel - 1) * 0.5 - 1) + 0.8
        weights = torch.exp(-((torch.arange(kernel, dtype=torch.float64) - kernel // 2) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


def band(weights: Tensor, side: int) -> Tensor:
    """(side, side) the matrix that lays odd and symmetric weights (K,) over a line of cells, zeros outside of it."""
    reach = len(weights) // 2
    wide = torch.zeros(side, side + 2 * reach, dtype=weights.dtype)
    for row, line in enumerate(wide):
        line[row : row + len(weights)] = weights
    return wide[:, reach : reach + side]


def around(maps: Tensor, cells: Tensor, reach: int) -> Tensor:
    """Values (B, J, 2 reach + 1, 2 reach + 1) of maps (B, J, h, w) around cells (B, J, 2) x, y; outside of a map those
    of its border."""
    height, width = maps.shape[2:]
    offsets = torch.arange(-reach, reach + 1, device=maps.device)
    columns = (cells[..., :1] + offsets).clamp(0, width - 1)
    rows = (cells[..., 1:] + offsets).clamp(0, height - 1)
    places = rows[..., :, None] * width + columns[..., None, :]
    return maps.flatten(2).gather(2, places.flatten(2)).view(places.shape)


def inside(maps: Tensor, cells: Tensor, last: int) -> Tensor:
    """(B, J, 1) whether cells (B, J, 2) are neither in the two first nor in so many last rows or columns of maps."""
    height, width = maps.shape[2:]
    ends = torch.tensor([width - last, height - last], device=cells.device)
    return ((cells > 1) & (cells < ends)).all(-1, keepdim=True)
