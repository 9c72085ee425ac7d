"""HRNet against its release: names, shapes, sizes and printed costs; exchange blocks in NumPy; its last stage."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models import hrnet
from posetables.models.cost import count
from posetables.models.hrnet import ExchangeBlock, HRNet


def small(**size: int) -> HRNet:
    return HRNet(5, width=0.25, **({"modules": 1, "blocks": 1} | size))


# The release


@pytest.fixture(scope="module", params=[32, 48])
def base_and_network(request: pytest.FixtureRequest) -> tuple[int, HRNet]:
    return request.param, HRNet(17, base=request.param).eval()


def test_the_parameters_are_those_of_the_release(base_and_network: tuple[int, HRNet]) -> None:
    base, network = base_and_network
    assert sum(weight.numel() for weight in network.parameters()) == {32: 28_536_113, 48: 63_595_745}[base]


def test_names_and_shapes_are_those_of_the_release(base_and_network: tuple[int, HRNet]) -> None:
    base, network = base_and_network
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
    # Of pose_hrnet.py at 2ad80f22, J = 17, as made by the same line.
    released = {
        32: "b6d62e0de98476dbb11d8f21a0e8eee317b85cfa26ad4c1de92104ec147f3071",
        48: "bf0c500246af9dc9f598cf6fef00a810c1893f02ceee09220b050057251c3295",
    }
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == released[base]


def test_costs_are_those_of_the_release_in_both_conventions(base_and_network: tuple[int, HRNet]) -> None:
    base, network = base_and_network
    cost = count(network, 128, 96)
    # At 128x96, 256x192 and 384x288. The release's own summary gives its GFLOPs; the paper prints a digit less.
    gmacs = {32: (1.91, 7.645, 17.20), 48: (3.92, 15.69, 35.31)}
    gflops = {32: (1.78, 7.12, 16.02), 48: (3.65, 14.61, 32.88)}
    for area, expected_gmacs, expected_gflops in zip((1, 4, 9), gmacs[base], gflops[base], strict=True):
        assert area * cost.macs / 1e9 == pytest.approx(expected_gmacs, abs=0.005)
        assert area * cost.released == pytest.approx(expected_gflops, abs=0.005)


@pytest.mark.parametrize(("size", "times"), [((256, 192), 4), ((384, 288), 9)])
def test_costs_grow_with_the_area(size: tuple[int, int], times: int) -> None:
    network = small().eval()
    larger, cost = count(network, *size), count(network, 128, 96)
    assert (larger.macs, larger.released) == (times * cost.macs, pytest.approx(times * cost.released))


# An exchange block, layer by layer


def convolved(x: np.ndarray, layer: nn.Module) -> np.ndarray:
    """A convolution with a kernel of 1 or 3, of stride 1 or 2, whose output keeps the centre of the first pixel."""
    weight, stride = layer.weight.detach().numpy(), layer.stride[0]
    reach = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    total = np.zeros((len(x), len(weight), x.shape[2] // stride, x.shape[3] // stride))
    for row in range(total.shape[2]):
        for column in range(total.shape[3]):
            y, z = row * stride, column * stride
            window = padded[:, :, y : y + weight.shape[2], z : z + weight.shape[3]]
            total[:, :, row, column] = np.einsum("bcij,ocij->bo", window, weight)
    return total


def normalised(x: np.ndarray, layer: nn.Module) -> np.ndarray:
    mean, variance = (each.numpy()[:, None, None] for each in (layer.running_mean, layer.running_var))
    scale, shift = (each.detach().numpy()[:, None, None] for each in (layer.weight, layer.bias))
    return scale * (x - mean) / np.sqrt(variance + 1e-5) + shift


def changed(x: np.ndarray, unit: nn.Module) -> np.ndarray:
    """A residual unit of two 3x3 convolutions."""
    inner = np.maximum(normalised(convolved(x, unit.conv1), unit.bn1), 0)
    return np.maximum(x + normalised(convolved(inner, unit.conv2), unit.bn2), 0)


def resampled(x: np.ndarray, layers: nn.Module, source: int, target: int) -> np.ndarray:
    if source > target:
        return (
            normalised(convolved(x, layers[0]), layers[1])
            .repeat(2 ** (source - target), 2)
            .repeat(2 ** (source - target), 3)
        )
    for number in range(target - source):
        x = normalised(convolved(x, layers[number][0]), layers[number][1])
        if number < target - source - 1:
            x = np.maximum(x, 0)
    return x


def with_statistics(network: nn.Module) -> nn.Module:
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values in (layer.weight, layer.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (layer.bias, layer.running_mean):
                nn.init.normal_(values)
    return network


@pytest.mark.parametrize("outputs", [3, 1])
def test_every_branch_becomes_the_sum_of_all_at_its_resolution(outputs: int) -> None:
    block = with_statistics(ExchangeBlock([2, 3, 4], 1, outputs=outputs)).double().eval()
    given = [torch.randn(1, n, 8 // 2**i, 12 // 2**i, dtype=torch.float64) for i, n in enumerate((2, 3, 4))]
    features = [changed(x.numpy(), units[0]) for x, units in zip(given, block.branches, strict=True)]
    found = block([x.clone() for x in given])
    assert len(found) == outputs
    for target, maps in enumerate(found):
        layers = block.fuse_layers[target]
        total = sum(resampled(x, layers[source], source, target) for source, x in enumerate(features))
        np.testing.assert_allclose(maps.detach(), np.maximum(total, 0), atol=1e-12)


# The last stage


@pytest.mark.parametrize("size", [(64, 96), (128, 32)])
def test_branches_have_strides_4_to_32_and_maps_the_finest(size: tuple[int, int]) -> None:
    network = small()
    branches = network.trunk(torch.randn(2, 3, *size))
    shapes = [(2, network.channels * 2**i, size[0] // 2 ** (i + 2), size[1] // 2 ** (i + 2)) for i in range(4)]
    assert [tuple(each.shape) for each in branches] == shapes
    features = network.stage(branches)
    assert features.shape == shapes[0]
    assert network.head(features).shape == (2, 5, size[0] // 4, size[1] // 4)


def test_the_last_stage_leaves_the_branches_that_it_reads_as_they_are() -> None:
    network = small()
    branches = network.trunk(torch.randn(2, 3, 64, 64))
    before = [each.clone() for each in branches]
    network.stage(branches)
    assert all(torch.equal(first, second) for first, second in zip(branches, before, strict=True))


@pytest.mark.parametrize(("modules", "counts"), [(None, [1, 4, 3]), (2, [1, 2, 2]), (1, [1, 1, 1])])
def test_modules_cut_the_stages_that_have_more(modules: int | None, counts: list[int]) -> None:
    network = HRNet(5, width=0.01, modules=modules, blocks=1)
    assert [len(stage) for stage in (network.stage2, network.stage3, network.stage4)] == counts


def test_every_parameter_receives_a_gradient() -> None:
    network = small(modules=2)
    network(torch.randn(2, 3, 64, 64))["heatmaps"].square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


# Weights of the classifier


def classifier(network: nn.Module) -> dict[str, Tensor]:
    """A state dict that has what the release's cls_hrnet.py has more than a pose network, or instead."""
    own = {name: value for name, value in network.state_dict().items() if not name.startswith("final_layer")}
    more = ("incre_modules.0.0.conv1.weight", "downsamp_modules.0.0.bias", "final_layer.0.weight", "classifier.bias")
    fused = [f"stage4.2.fuse_layers.{branch}.0.0.0.weight" for branch in (1, 2, 3)]
    return own | dict.fromkeys([*more, *fused], torch.zeros(1))


def test_of_a_classifier_all_is_read_but_what_heatmaps_do_not_need() -> None:
    network = HRNet(5, width=0.01, blocks=1)
    own = network.state_dict()
    read = hrnet.from_torchvision(classifier(network), own)
    assert set(own) - set(read) == {"final_layer.weight", "final_layer.bias"}
    assert set(read) <= set(own)


def test_a_last_stage_reads_its_own_layers_of_a_classifier() -> None:
    network = HRNet(5, width=0.01, blocks=1)
    last = network.last_stage()
    assert set(hrnet.from_torchvision(classifier(network), last.state_dict())) == set(last.state_dict())


def test_a_pose_network_of_the_release_is_read_wholly() -> None:
    weights = HRNet(5, width=0.01, blocks=1).state_dict()
    assert set(hrnet.from_torchvision(weights, weights)) == set(weights)


# Refusals


@pytest.mark.parametrize("size", [{"modules": 0}, {"blocks": 0}])
def test_a_network_without_units_is_refused(size: dict[str, int]) -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        small(**size)


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match=r"image size 64x48: .* multiples of 32"):
        small()(torch.zeros(1, 3, 64, 48))
