"""Forward and backward of HCRN's diffusion (Eq. 5) against the 225-tap unfold, as ratios: time and extra memory.

    python benchmarks/diffusion.py

At the size of a VGG16 training step: batch 8, 14 joints, maps of 46x46, radius 7. Time: median of the runs of one
process, the two in turn, on one thread. Memory: growth of the peak resident set (ru_maxrss) over forward and backward,
each method in a process of its own, since a peak never falls.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context

import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.models.diffusion import diffuse

BATCH, JOINTS, SIDE, RADIUS, RUNS = 8, 14, 46, 7, 9
Method = Callable[[Tensor, Tensor, int], Tensor]


def unfolded(heatmaps: Tensor, weights: Tensor, radius: int) -> Tensor:
    """Eq. 5 as it is usually written: all (2r + 1)^2 shifted copies, then their maximum."""
    taps = 2 * radius + 1
    padded = F.pad(heatmaps, (radius,) * 4, value=-torch.inf)
    copies = F.unfold(padded, taps).unflatten(1, (heatmaps.shape[1], taps**2))
    offsets = torch.arange(-radius, radius + 1, dtype=heatmaps.dtype)
    dy, dx = torch.meshgrid(offsets, offsets, indexing="ij")
    costs = weights @ torch.stack((dx, dy, dx**2, dy**2)).flatten(1)
    return (copies - costs[..., None]).max(2).values.unflatten(2, heatmaps.shape[2:])


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    heatmaps = torch.rand(BATCH, JOINTS, SIDE, SIDE, generator=generator)
    return heatmaps.requires_grad_(), torch.tensor([0, 0, 0.01, 0.01]).repeat(JOINTS, 1).requires_grad_()


def forward_and_backward(method: Method) -> None:
    heatmaps, weights = inputs()
    method(heatmaps, weights, RADIUS).sum().backward()


def seconds(method: Method) -> float:
    start = time.perf_counter()
    forward_and_backward(method)
    return time.perf_counter() - start


def extra_memory(method: Method) -> float:
    """MB by which the peak of this process grows; torch is warmed up on a small map before."""
    torch.set_num_threads(1)
    heatmaps, weights = inputs()
    method(heatmaps[..., :16, :16], weights, 1).sum().backward()
    ballast, before = [], peak_memory()
    while peak_memory() == before:  # memory that importing torch took and gave back would hide what is measured
        ballast.append(torch.ones(2**14))
    before = peak_memory()
    forward_and_backward(method)
    return peak_memory() - before


def peak_memory() -> float:
    """MB, of this process since its start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def in_a_process(method: Method) -> float:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(extra_memory, (method,))


def main() -> None:
    torch.set_num_threads(1)
    torch.testing.assert_close(diffuse(*inputs(), RADIUS), unfolded(*inputs(), RADIUS))
    times = [(seconds(unfolded), seconds(diffuse)) for _ in range(RUNS)]
    slow, fast = (statistics.median(column) for column in zip(*times, strict=True))
    large, small = in_a_process(unfolded), in_a_process(diffuse)
    print(f"time    {slow:.3f} s / {fast:.3f} s = {slow / fast:.1f}x less")
    print(f"memory  {large:.0f} MB / {small:.1f} MB = {large / small:.1f}x less")


if __name__ == "__main__":
    main()
