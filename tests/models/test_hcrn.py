"""HCRN (Nie et al., sec. III): the refinement of Eq. 1-5 unit by unit, and the 13 rows of Table I."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from posetables.data.skeletons.lsp import SKELETON as LSP
from posetables.errors import InputError
from posetables.models import hcrn

SMALL: dict[str, dict[str, Any]] = {
    "vgg16": {"width": 0.125},
    "resnet101": {"width": 0.125},
    "cpm": {"stages": 3, "width": 0.125},
    "hourglass": {"stacks": 2, "features": 32},
}
TABLE_I = [
    ("vgg16", "holistic", {}, ["initial"]),
    ("vgg16", "without-diffusion", {}, ["initial", "refined"]),
    ("vgg16", "hcrn", {}, ["initial", "refined"]),
    ("resnet101", "holistic", {}, ["initial"]),
    ("resnet101", "without-diffusion", {}, ["initial", "refined"]),
    ("resnet101", "hcrn", {}, ["initial", "refined"]),
    ("cpm", "holistic", {"stages": 1}, ["initial"]),
    ("cpm", "holistic", {"stages": 2}, ["stage1", "initial"]),
    ("cpm", "holistic", {"stages": 3}, ["stage1", "stage2", "initial"]),
    ("cpm", "holistic", {"stages": 6}, ["stage1", "stage2", "stage3", "stage4", "stage5", "initial"]),
    ("cpm", "hcrn", {"stages": 6}, ["stage1", "stage2", "stage3", "stage4", "stage5", "initial", "refined"]),
    ("hourglass", "holistic", {}, ["stack1", "initial"]),
    ("hourglass", "hcrn", {}, ["stack1", "initial", "refined"]),
]


def small(backbone: str, head: str = "hcrn", **size: Any) -> hcrn.HCRN:
    torch.manual_seed(0)
    return hcrn.build(LSP, backbone=backbone, head=head, **(SMALL[backbone] | size))


def step(network: hcrn.HCRN, images: Tensor) -> dict[str, Tensor]:
    """Maps after one backward pass of binary cross entropy towards nothing anywhere."""
    maps = network(images)
    sum(F.binary_cross_entropy_with_logits(m.float(), torch.zeros(m.shape)) for m in maps.values()).backward()
    return maps


@pytest.mark.parametrize(("backbone", "head", "size", "names"), TABLE_I)
def test_each_row_of_table_1_names_its_maps_from_early_to_final(
    backbone: str, head: str, size: dict[str, int], names: list[str]
) -> None:
    maps = small(backbone, head, **size)(torch.zeros(2, 3, 64, 128))
    stride = 4 if backbone == "hourglass" else 8
    assert list(maps) == names
    assert {value.shape for value in maps.values()} == {(2, 15, 64 // stride, 128 // stride)}


@pytest.mark.parametrize("backbone", SMALL)
def test_every_parameter_receives_a_gradient(backbone: str) -> None:
    network = small(backbone)
    torch.nn.init.normal_(network.initial.weight)  # a map without peaks diffuses to itself and moves no W_d
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)  # units that start as their shortcuts move their scale alone
    step(network, torch.randn(2, 3, 64, 64))
    # A bias before batch normalisation is rightly without effect.
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in idle if not name.endswith(".bias")] == []


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("backbone", SMALL)
def test_bf16_and_channels_last_give_nearly_the_same_maps_under_deterministic_kernels(backbone: str) -> None:
    # Smooth as photographs are: white noise averages out, and batch normalisation would amplify the rounding.
    images = F.interpolate(torch.randn(4, 3, 8, 8), size=(128, 128), mode="bilinear")
    network = small(backbone, **({"dropout": 0.0} if backbone == "vgg16" else {}))
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        maps = step(network, images.contiguous(memory_format=torch.channels_last))
    for name, value in maps.items():
        assert (value.float() - expected[name]).std() < 0.15 * expected[name].std()


@pytest.mark.parametrize("backbone", SMALL)
def test_two_runs_from_one_seed_give_the_same_gradients(backbone: str) -> None:
    def gradients() -> list[Tensor]:
        network = small(backbone)
        step(network, torch.randn(2, 3, 64, 64))
        return [parameter.grad for parameter in network.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients(), strict=True))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def refined_unit_by_unit(initial: Tensor, hierarchy: hcrn.Hierarchy, radius: int) -> Tensor:
    """Eq. 1-5 joint by joint and pixel by pixel in Python floats; radius 0 is the head without diffusion."""
    batch, _, height, width = initial.shape
    parameters = {
        joint: [float(v) for v in ([0] * 4 if units.w_d is None else units.w_d[k])]
        + [*units.w_c[k].tolist(), units.b_c[k].item()]
        for units, layer in zip(hierarchy.layers, LSP.layers[1:], strict=True)
        for k, joint in enumerate(layer)
    }
    out = initial.clone()
    for b in range(batch):
        for joint in (joint for layer in LSP.layers[1:] for joint in layer):
            w1, w2, w3, w4, own, context, bias = parameters[joint]
            parent = out[b, LSP.parent(joint)].tolist()
            for y in range(height):
                for x in range(width):
                    diffused = max(
                        sigmoid(parent[y + dy][x + dx]) - (w1 * dx + w2 * dy + w3 * dx * dx + w4 * dy * dy)
                        for dy in range(-radius, radius + 1)
                        for dx in range(-radius, radius + 1)
                        if 0 <= y + dy < height and 0 <= x + dx < width
                    )
                    out[b, joint, y, x] = own * sigmoid(initial[b, joint, y, x].item()) + context * diffused + bias
    return out


@pytest.mark.parametrize(("diffusion", "radius"), [(True, 7), (True, 2), (False, 0)])
def test_refinement_is_equations_1_to_5_from_the_neck_outwards(diffusion: bool, radius: int) -> None:
    torch.manual_seed(0)
    hierarchy = hcrn.Hierarchy(LSP, radius=radius, diffusion=diffusion).double()
    for name, parameter in hierarchy.named_parameters():
        torch.nn.init.normal_(parameter, std=0.02 if name.endswith("w_d") else 2)
    initial = 3 * torch.randn(2, 15, 8, 6, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(hierarchy(initial), refined_unit_by_unit(initial, hierarchy, radius))


@pytest.mark.parametrize("head", ["without-diffusion", "hcrn"])
def test_root_and_background_stay_as_initial(head: str) -> None:
    maps = small("vgg16", head)(torch.randn(1, 3, 64, 64))
    kept = [LSP.index("neck"), 14]
    torch.testing.assert_close(maps["refined"][:, kept], maps["initial"][:, kept], rtol=0, atol=0)


@pytest.mark.parametrize("diffusion", [True, False])
def test_refinement_starts_close_to_the_initial_maps(diffusion: bool) -> None:
    initial = 4 * torch.randn(2, 15, 16, 16)
    refined = hcrn.Hierarchy(LSP, radius=7, diffusion=diffusion)(initial)
    assert (refined.sigmoid() - initial.sigmoid()).abs().max() < 0.2


def test_refinement_has_the_98_parameters_of_table_2_less_the_roots_unit() -> None:
    count = sum(p.numel() for p in hcrn.Hierarchy(LSP, radius=7, diffusion=True).parameters())
    assert count == 98 - 7  # the paper counts a unit for the root, which has no parent to diffuse


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg19", "head": "hcrn"}, r"backbone 'vgg19' is not known; choose from vgg16, "),
        ({"backbone": "vgg16", "head": "hrcn"}, r"head 'hrcn' is not known; choose from holistic, "),
        ({"backbone": "vgg16", "head": "hcrn", "stages": 3}, r"'stages' is not known; choose from width, dropout"),
        ({"backbone": "cpm", "head": "hcrn", "maps": 3}, r"'maps' is not known; choose from stages, width"),
        ({"backbone": "cpm", "head": "hcrn", "stages": 0}, r"cpm: stages is 0; give 1 or more"),
        ({"backbone": "hourglass", "head": "hcrn", "features": 30}, r"features 30; .* multiple of 4"),
    ],
)
def test_a_network_that_does_not_exist_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        hcrn.build(LSP, **arguments)
