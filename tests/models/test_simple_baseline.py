"""Simple Baseline against its release: names, shapes, sizes and printed costs; its last stage and what it reads."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from posetables.errors import InputError
from posetables.models.cost import count
from posetables.models.simple_baseline import LastStage, SimpleBaseline


def small(blocks: int = 1) -> SimpleBaseline:
    return SimpleBaseline(5, depth=50, width=0.125, blocks=blocks)


# The release


@pytest.fixture(scope="module", params=[50, 101, 152])
def depth_and_network(request: pytest.FixtureRequest) -> tuple[int, SimpleBaseline]:
    return request.param, SimpleBaseline(17, depth=request.param).eval()


def test_the_parameters_are_those_of_the_release(depth_and_network: tuple[int, SimpleBaseline]) -> None:
    depth, network = depth_and_network
    released = {50: 33_999_697, 101: 52_991_825, 152: 68_635_473}
    assert sum(weight.numel() for weight in network.parameters()) == released[depth]


def test_names_and_shapes_are_those_of_the_release(depth_and_network: tuple[int, SimpleBaseline]) -> None:
    depth, network = depth_and_network
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
    # Of pose_resnet.py at 15bbef29, J = 17, as made by the same line.
    released = {
        50: "2849bec1ec860dd166b58a262077e1d400cb062ba061537387dcce2bcd5d4331",
        101: "99da4ee0587f1444aa0241375168dea846d7f31573fc39856f28751d70d03712",
        152: "c530501af08a0d7c21699b260838f291195e4b7a2d57b886c6a8c60e6acefa76",
    }
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == released[depth]


def test_costs_are_those_of_the_release_in_both_conventions(depth_and_network: tuple[int, SimpleBaseline]) -> None:
    depth, network = depth_and_network
    cost = count(network, 128, 96)
    # At 128x96, 256x192 and 384x288. The GFLOPs are those of the summary in the release of HRNet. Its Table 1 prints
    # a digit less: 8.9, 12.4 and 15.7, and for 384x288 these times 2.25 (20.0, 27.9, 35.3).
    gmacs = {50: (1.36, 5.43, 12.21), 101: (2.27, 9.06, 20.39), 152: (3.17, 12.70, 28.57)}
    gflops = {50: (2.25, 8.99, 20.23), 101: (3.09, 12.38, 27.85), 152: (3.94, 15.76, 35.47)}
    for area, expected_gmacs, expected_gflops in zip((1, 4, 9), gmacs[depth], gflops[depth], strict=True):
        assert area * cost.macs / 1e9 == pytest.approx(expected_gmacs, abs=0.005)
        assert area * cost.released == pytest.approx(expected_gflops, abs=0.005)


@pytest.mark.parametrize(("size", "times"), [((256, 192), 4), ((384, 288), 9)])
def test_costs_grow_with_the_area(size: tuple[int, int], times: int) -> None:
    network = small().eval()
    larger, cost = count(network, *size), count(network, 128, 96)
    assert (larger.macs, larger.released) == (times * cost.macs, pytest.approx(times * cost.released))


# The last stage


@pytest.mark.parametrize("size", [(64, 96), (128, 32)])
def test_maps_have_stride_4(size: tuple[int, int]) -> None:
    network = small()
    x = network.trunk(torch.randn(2, 3, *size))
    assert x.shape[2:] == (size[0] // 16, size[1] // 16)
    features = network.stage(x)
    assert features.shape == (2, network.channels, size[0] // 4, size[1] // 4)
    assert network.head(features).shape == (2, 5, size[0] // 4, size[1] // 4)


def test_a_last_stage_of_resnet50_has_the_parameters_of_layer4_and_three_deconvolutions() -> None:
    bottleneck = 2048 * 512 + 9 * 512 * 512 + 512 * 2048 + 2 * (512 + 512 + 2048)
    first = bottleneck - 1024 * 512 + 1024 * 2048 + 2 * 2048
    deconvolutions = 16 * 256 * (2048 + 256 + 256) + 3 * 2 * 256
    last = LastStage(width=1.0, blocks=3)
    assert sum(weight.numel() for weight in last.parameters()) == first + 2 * bottleneck + deconvolutions == 25_452_032


def test_new_layers_start_as_the_release_has_them() -> None:
    network = SimpleBaseline(17, depth=50, width=0.5, blocks=1)
    for layer in (network.deconv_layers[0], network.deconv_layers[6], network.final_layer):
        assert layer.weight.std().item() == pytest.approx(0.001, rel=0.1)


def test_every_parameter_receives_a_gradient() -> None:
    network = small()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # units that start as their shortcuts pass nothing on
    network(torch.randn(2, 3, 64, 64))["heatmaps"].square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match=r"image size 64x48: .* multiples of 32"):
        small()(torch.zeros(1, 3, 64, 48))
