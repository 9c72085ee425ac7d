"""Eq. 5 of HCRN, against its definition written as four nested loops in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from posetables.errors import InputError
from posetables.models.diffusion import diffuse


def by_definition(heatmaps: Tensor, weights: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum over all offsets in raster order, the first of equal ones, and the gradients of its sum times itself."""
    batch, joints, height, width = heatmaps.shape
    out, grad_maps, grad_weights = torch.zeros_like(heatmaps), torch.zeros_like(heatmaps), torch.zeros_like(weights)
    offsets = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    for b in range(batch):
        for j in range(joints):
            h, (w1, w2, w3, w4) = heatmaps[b, j].tolist(), weights[j].tolist()
            for y in range(height):
                for x in range(width):
                    best = float("-inf")
                    for dy, dx in offsets:
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            score = h[y + dy][x + dx] - (w1 * dx + w3 * dx * dx) - (w2 * dy + w4 * dy * dy)
                            if score > best:
                                best, won = score, (dy, dx)
                    dy, dx = won
                    out[b, j, y, x] = best
                    grad_maps[b, j, y + dy, x + dx] += 2 * best
                    grad_weights[j] -= 2 * best * torch.tensor([dx, dy, dx * dx, dy * dy], dtype=weights.dtype)
    return out, grad_maps, grad_weights


def by_diffuse(heatmaps: Tensor, weights: Tensor, radius: int) -> tuple[Tensor, Tensor, Tensor]:
    heatmaps, weights = heatmaps.clone().requires_grad_(), weights.clone().requires_grad_()
    out = diffuse(heatmaps, weights, radius)
    out.square().sum().backward()
    return out.detach(), heatmaps.grad, weights.grad


def assert_same(heatmaps: Tensor, weights: Tensor, radius: int) -> None:
    for ours, theirs in zip(
        by_diffuse(heatmaps, weights, radius), by_definition(heatmaps, weights, radius), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("size", "radius"), [((11, 17), 7), ((5, 4), 7), ((9, 9), 1), ((3, 3), 0)])
def test_values_and_gradients_are_those_of_the_definition(size: tuple[int, int], radius: int) -> None:
    generator = torch.Generator().manual_seed(0)
    heatmaps = torch.rand(2, 3, *size, generator=generator, dtype=torch.float64)
    weights = 0.02 * torch.randn(3, 4, generator=generator, dtype=torch.float64)
    assert_same(heatmaps, weights, radius)


# Multiples of 1/4 and 1/8 of small size are exact, so that equal scores are equal and not merely close.
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    heatmaps=st.lists(st.integers(0, 3), min_size=30, max_size=30),
    weights=st.lists(st.integers(-2, 2), min_size=4, max_size=4),
)
def test_among_equal_scores_the_gradient_goes_to_the_first_in_raster_order(
    heatmaps: list[int], weights: list[int]
) -> None:
    maps = torch.tensor(heatmaps, dtype=torch.float64).reshape(1, 1, 5, 6) / 4
    assert_same(maps, torch.tensor([weights], dtype=torch.float64) / 8, radius=3)


def test_a_constant_map_sends_every_gradient_to_the_upper_left_rim() -> None:
    _, grad, _ = by_diffuse(torch.ones(1, 1, 4, 4), torch.zeros(1, 4), radius=7)
    assert grad[0, 0, 0, 0] == grad.sum() == 32


def test_half_precision_is_computed_in_float32() -> None:
    heatmaps, weights = torch.rand(1, 2, 8, 8).bfloat16(), torch.full((2, 4), 0.01)
    with torch.autocast("cpu", torch.bfloat16):
        out = diffuse(heatmaps, weights, 7)
    torch.testing.assert_close(out, diffuse(heatmaps.float(), weights, 7), rtol=0, atol=0)


def test_the_layout_in_memory_changes_nothing() -> None:
    heatmaps, weights = torch.rand(2, 3, 8, 9), torch.full((3, 4), 0.01)
    plain = by_diffuse(heatmaps, weights, 7)
    channels_last = by_diffuse(heatmaps.contiguous(memory_format=torch.channels_last), weights, 7)
    for ours, theirs in zip(plain, channels_last, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_one_byte_a_pixel_is_kept_for_the_backward_pass() -> None:
    kept: list[Tensor] = []
    heatmaps, weights = torch.rand(2, 3, 10, 10, requires_grad=True), torch.zeros(3, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        diffuse(heatmaps, weights, 7)
    maps_kept = [tensor for tensor in kept if tensor.numel() >= heatmaps.numel()]
    assert [tensor.dtype for tensor in maps_kept] == [torch.int8, torch.int8]  # one for each pass


@pytest.mark.parametrize("radius", [-1, 64])
def test_a_radius_that_one_byte_cannot_number_is_refused(radius: int) -> None:
    with pytest.raises(InputError, match=rf"radius is {radius}; give 0 to 63"):
        diffuse(torch.rand(1, 1, 4, 4), torch.zeros(1, 4), radius)
