"""The last stage of each backbone that Graph-PCNN copies: what it is of the network, and that a copy is another one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from posetables.models.hrnet import HRNet
from posetables.models.simple_baseline import SimpleBaseline

Backbone = HRNet | SimpleBaseline


@pytest.fixture(params=[HRNet, SimpleBaseline])
def network(request: pytest.FixtureRequest) -> Backbone:
    """With more than one unit in its last stage."""
    if request.param is HRNet:
        return HRNet(5, width=0.25, modules=2, blocks=1)
    return SimpleBaseline(5, depth=50, width=0.125, blocks=2)


def first_weight(network: Backbone | nn.Module) -> torch.Tensor:
    layers = network.stage4[0].branches[0][0].conv1 if hasattr(network, "stage4") else network.deconv_layers[0]
    return layers.weight


def test_heatmaps_are_the_head_of_the_last_stage_of_the_trunk(network: Backbone) -> None:
    network, images = network.eval(), torch.randn(2, 3, 64, 64)
    heatmaps = network(images)["heatmaps"]
    assert torch.equal(heatmaps, network.head(network.stage(network.trunk(images))))


def test_another_last_stage_with_the_same_weights_gives_the_same_features(network: Backbone) -> None:
    network = network.eval()
    own = network.state_dict()
    last = network.last_stage().eval()
    last.load_state_dict({name: own[name] for name in last.state_dict()})
    read = network.trunk(torch.randn(2, 3, 64, 64))
    assert torch.equal(last(read), network.stage(read))


def test_another_last_stage_has_weights_of_its_own(network: Backbone) -> None:
    last = network.last_stage()
    assert not torch.equal(first_weight(last), first_weight(network))
    assert not {id(weight) for weight in last.parameters()} & {id(weight) for weight in network.parameters()}
