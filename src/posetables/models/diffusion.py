"""Probability diffusion, Eq. 5 of HCRN (Nie et al.), as two one-dimensional passes.

The deformation cost w . [dx, dy, dx^2, dy^2] is a sum f(dx) + g(dy), so the maximum over the square of offsets is the
maximum over dy of maxima over dx: 2 (2r + 1) taps instead of (2r + 1)^2, with nothing approximated.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from posetables.errors import InputError


def diffuse(heatmaps: Tensor, weights: Tensor, radius: int) -> Tensor:
    """Spread each score to its neighbours, at a cost that grows with the offset.

    heatmaps (B, J, h, w); weights (J, 4), the cost of [dx, dy, dx^2, dy^2] in heatmap pixels; radius r of the fusion
    field [-r, r] x [-r, r]. Offsets that leave the map do not count. Returns (B, J, h, w) with

        out(P) = max over offsets d of heatmaps(P + d) - weights . [dx, dy, dx^2, dy^2].

    The gradient of a pixel goes to the offset that attained its maximum; of several, to the first in raster order
    (smallest dy, then smallest dx). Half precision is computed in float32. Backward is deterministic. Raises
    InputError for a radius that one byte a tap cannot number.
    """
    if not 0 <= radius <= 63:
        raise InputError(f"diffusion: radius is {radius}; give 0 to 63 heatmap pixels (the paper's is 7)")
    dtype = torch.promote_types(heatmaps.dtype, torch.float32)
    heatmaps, weights = heatmaps.to(dtype), weights.to(dtype)
    offsets = torch.arange(-radius, radius + 1, device=heatmaps.device, dtype=dtype)
    linear_x, linear_y, square_x, square_y = weights[..., None].unbind(1)
    # dx before dy: the second pass picks the smallest dy, within which the first has picked the smallest dx.
    rows = _best_tap(heatmaps, linear_x * offsets + square_x * offsets**2, -1)
    return _best_tap(rows, linear_y * offsets + square_y * offsets**2, -2)


def _best_tap(maps: Tensor, costs: Tensor, dim: int) -> Tensor:
    best: Tensor = _BestTap.apply(maps, costs, dim)  # type: ignore[no-untyped-call]
    return best


class _BestTap(torch.autograd.Function):
    """Maximum over the taps along one dimension; keeps one byte a pixel, the number of the winning tap."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, costs: Tensor, dim: int) -> Tensor:
        """maps (B, J, h, w), costs (J, taps), dim -1 or -2 -> (B, J, h, w)."""
        size, taps = maps.shape[dim], costs.shape[1]
        padded = F.pad(maps, _sides(dim, taps // 2), value=-torch.inf)
        best = padded.narrow(dim, 0, size) - costs[:, 0, None, None]
        winner = torch.zeros_like(best, dtype=torch.int8)
        for tap in range(1, taps):
            score = padded.narrow(dim, tap, size) - costs[:, tap, None, None]
            winner.masked_fill_(score > best, tap)
            torch.maximum(best, score, out=best)
        ctx.save_for_backward(winner)
        ctx.dim, ctx.taps = dim, taps
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        (winner,) = ctx.saved_tensors
        dim, taps, size = ctx.dim, ctx.taps, grad.shape[ctx.dim]
        grad_padded = F.pad(torch.zeros_like(grad), _sides(dim, taps // 2))
        grad_costs = grad.new_empty(grad.shape[1], taps)
        # A sum of shifted slices has a fixed order of additions; a scatter has none on a GPU.
        for tap in range(taps):
            routed = grad * (winner == tap)
            grad_padded.narrow(dim, tap, size).add_(routed)
            grad_costs[:, tap] = -routed.sum((0, 2, 3))
        return grad_padded.narrow(dim, taps // 2, size), grad_costs, None


def _sides(dim: int, radius: int) -> tuple[int, int, int, int]:
    return (radius, radius, 0, 0) if dim == -1 else (0, 0, radius, radius)
