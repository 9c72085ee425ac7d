"""Operations of layers counted by hand, in both conventions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from posetables.models.cost import Cost, count


@pytest.mark.parametrize(
    ("layers", "macs"),
    [
        ([nn.Conv2d(3, 5, 3, padding=1)], 3 * 5 * 9 * 8 * 6),
        ([nn.Conv2d(3, 5, 3, stride=2, padding=1)], 3 * 5 * 9 * 4 * 3),
        ([nn.Conv2d(3, 6, 3, padding=1, groups=3)], 1 * 6 * 9 * 8 * 6),
        ([nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 7)], 3 * 7),
        ([nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 1)], 3 * 8 * 6),
    ],
    ids=["convolution", "strided", "in groups", "linear", "among others"],
)
def test_both_conventions_count_every_product_of_a_weight(layers: list[nn.Module], macs: int) -> None:
    network = nn.Sequential(*layers).eval()
    assert count(network, 8, 6) == Cost(sum(weight.numel() for weight in network.parameters()), macs, macs / 2**30)


def test_the_release_counts_transposed_convolutions_at_the_size_of_their_output() -> None:
    network = nn.Sequential(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1, bias=False))
    assert count(network, 8, 6) == Cost(3 * 5 * 16, 3 * 5 * 16 * 8 * 6, 3 * 5 * 16 * 16 * 12 / 2**30)


def test_a_layer_counts_as_often_as_it_is_used() -> None:
    shared = nn.Conv2d(3, 3, 1)
    assert count(nn.Sequential(shared, shared), 8, 6).macs == 2 * count(nn.Sequential(shared), 8, 6).macs


def test_counting_leaves_a_network_in_evaluation_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count(network, 8, 6)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
