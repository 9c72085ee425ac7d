"""Multi-Scale Structure-Aware network (Ke et al.): sizes against Newell's, maps and their regression layer by layer in
NumPy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables.data.codecs import Truth
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.errors import InputError
from posetables.models import mssa
from posetables.models.hourglass import Hourglass
from posetables.recipe import Codec
from posetables.stages import network as networks
from posetables.stages.train import freeze, supervise

NETWORKS: dict[str, dict[str, Any]] = {
    "hourglass": {"supervision": "one scale", "regression": "none"},
    "mss": {"supervision": "all scales", "regression": "none"},
    "mss-msr": {"supervision": "all scales", "regression": "all scales"},
}
SCALES = ("8", "4", "2", "1")
CODECS = {"*": Codec(target="gaussian", radius=4, loss="l2", background=False, activation="none", finest=4)}


def small(name: str, seed: int = 0, **size: int) -> Any:
    torch.manual_seed(seed)
    return mssa.build(MPII, backbone="hourglass", **({"stacks": 2, "features": 16} | NETWORKS[name] | size))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Sizes

PREDICTOR = 256 * 16 + 16
MSS = 25_434_112 + 3 * 8 * PREDICTOR  # Newell's code, and the coarser scales of 8 stacks
# Between pytorch-pose's parameters at 1 stack and at 2 lie a stack, its maps, and the way to it.
STACK = (6_730_912 - 3_586_960) - PREDICTOR - (256 * 256 + 256) - (16 * 256 + 256)
SEEN = 256 + 4 * 16  # features, and 16 maps of four scales
ENTRY = (
    (2 * SEEN + 128 * SEEN + 128)
    + (2 * 128 + 9 * 128 * 128 + 128)
    + (2 * 128 + 256 * 128 + 256)
    + (256 * SEEN + 256)
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "count"),
    [("hourglass", 25_434_112), ("mss", MSS), ("mss-msr", MSS + ENTRY + STACK + 4 * PREDICTOR)],
)
def test_each_network_of_section_4_3_adds_the_parameters_of_its_own_part(name: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(mssa.build(MPII, backbone="hourglass", **NETWORKS[name])) == count


def names(name: str) -> list[str]:
    of_stacks = [f"stack{stack}-{scale}" for stack in (1, 2) for scale in SCALES]
    if name == "hourglass":
        return ["stack1-1", "stack2-1"]
    return of_stacks if name == "mss" else [*of_stacks, *(f"regressed-{scale}" for scale in SCALES)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("side", "sides"),
    [(64, {"8": 2, "4": 4, "2": 8, "1": 16}), (92, {"8": 3, "4": 6, "2": 12, "1": 23})],  # halved, rounded up
)
def test_maps_come_from_coarse_to_fine_and_the_prediction_last(name: str, side: int, sides: dict[str, int]) -> None:
    maps = small(name)(torch.zeros(2, 3, side, side))
    shapes = [(each, (2, 16, sides[each[-1]], sides[each[-1]])) for each in names(name)]
    assert [(each, tuple(value.shape)) for each, value in maps.items()] == shapes


# Maps, layer by layer


def recorded(*modules: nn.Module) -> list[np.ndarray]:
    """What the modules give from now on, in the order in which they are run."""
    given: list[np.ndarray] = []
    for module in modules:
        module.register_forward_hook(lambda *call: given.append(call[-1].detach().numpy().copy()))
    return given


def enlarged(maps: np.ndarray, times: int, like: np.ndarray) -> np.ndarray:
    large = maps.repeat(times, axis=2).repeat(times, axis=3)
    return large[:, :, : like.shape[2], : like.shape[3]]


def predicted(features: np.ndarray, predictor: nn.Module) -> np.ndarray:
    """A 1x1 convolution."""
    weight, bias = (each.detach().numpy() for each in (predictor.weight, predictor.bias))
    return np.einsum("oi,bihw->bohw", weight[:, :, 0, 0], features) + bias[:, None, None]


def inner(hourglass: nn.Module) -> list[Hourglass]:
    """Hourglasses in this one, the innermost first, which comes up at an eighth of the sides."""
    return [each for each in hourglass.modules() if isinstance(each, Hourglass)][:0:-1]


def test_coarser_maps_are_1x1_convolutions_of_what_comes_up_at_their_scale() -> None:
    network = small("mss").double()
    hourglasses = [each for stack in network.backbone.stacks for each in inner(stack[0])]
    kept = [recorded(each.skip) for each in hourglasses]
    raised = [recorded(each.up) for each in hourglasses]
    maps = network(torch.randn(2, 3, 92, 64, dtype=torch.float64))
    coarser = [f"stack{stack}-{scale}" for stack in (1, 2) for scale in SCALES[:-1]]
    predictors = [each for stack in network.predictors for each in stack]
    for name, (skip,), (up,), predictor in zip(coarser, kept, raised, predictors, strict=True):
        expected = predicted(skip + enlarged(up, 2, skip), predictor)
        np.testing.assert_allclose(maps[name].detach(), expected, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", ["hourglass", "mss"])
def test_the_finest_maps_are_those_of_newells_network(name: str) -> None:
    network = small(name).double()
    last = recorded(*(stack[-1] for stack in network.backbone.stacks))
    images = torch.randn(2, 3, 92, 64, dtype=torch.float64)
    maps = network(images)
    first, second = (maps[f"stack{stack}-1"].detach() for stack in (1, 2))
    np.testing.assert_allclose(second, predicted(last[1], network.predictor), atol=1e-12)
    _, newell = network.backbone(images)
    torch.testing.assert_close(first, newell["stack1"])


# The regression


def test_the_regression_sees_the_stem_and_all_scales_of_the_last_stack_at_the_size_of_the_finest() -> None:
    network = small("mss-msr")
    stem, seen = recorded(network.supervision.backbone.stem), list[np.ndarray]()
    network.regression.entry.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach().numpy()))
    maps = network(torch.randn(2, 3, 92, 64))
    last = [maps[f"stack2-{scale}"].detach().numpy() for scale in SCALES]
    large = [enlarged(each, int(scale), last[-1]) for scale, each in zip(SCALES, last, strict=True)]
    np.testing.assert_array_equal(seen[0], np.concatenate([stem[0], *large], axis=1))


def regressed_otherwise(network: Any, changed: nn.Module) -> list[bool]:
    """Of each scale, whether its regressed maps are others once the weights of a module have changed."""
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        before = network(images)
        changed.weight += torch.randn_like(changed.weight)
        after = network(images)
    return [not torch.equal(before[name], after[name]) for name in (f"regressed-{scale}" for scale in SCALES)]


@pytest.mark.parametrize("number", range(4), ids=SCALES)
def test_maps_of_every_scale_of_the_last_stack_change_all_that_is_regressed(number: int) -> None:
    network = small("mss-msr")
    predictors = [*network.supervision.predictors[-1], network.supervision.predictor]
    assert regressed_otherwise(network, predictors[number]) == [True] * 4


@pytest.mark.parametrize("number", range(3), ids=SCALES[:-1])
def test_coarse_maps_of_earlier_stacks_change_nothing_that_is_regressed(number: int) -> None:
    network = small("mss-msr")
    assert regressed_otherwise(network, network.supervision.predictors[0][number]) == [False] * 4


def test_regressed_maps_are_1x1_convolutions_of_what_comes_up_at_their_scale() -> None:
    network = small("mss-msr").double()
    stack = network.regression.stack
    hourglasses = inner(stack[0])
    kept, raised = ([recorded(getattr(each, part)) for each in hourglasses] for part in ("skip", "up"))
    finest = recorded(stack[-1])
    maps = network(torch.randn(2, 3, 92, 64, dtype=torch.float64))
    up = [skip + enlarged(low, 2, skip) for (skip,), (low,) in zip(kept, raised, strict=True)]
    for scale, features, predictor in zip(SCALES, [*up, finest[0]], network.regression.predictors, strict=True):
        found = maps[f"regressed-{scale}"].detach()
        np.testing.assert_allclose(found, predicted(features, predictor), atol=1e-12, err_msg=scale)


# Training


def step(network: nn.Module, outputs: tuple[str, ...] = ("*",)) -> None:
    """One backward pass of Eq. 1 towards joints anywhere."""
    known = torch.ones(2, 16, dtype=torch.bool)
    truth = Truth(joints=64 * torch.rand(2, 16, 2), labelled=known, visible=known, size=64)
    supervise(network(torch.randn(2, 3, 64, 64)), truth, CODECS, outputs).backward()


def idle(network: nn.Module) -> list[str]:
    """Parameters without a gradient; but not biases, which batch normalisation rightly takes off again."""
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    return [name for name in still if not name.endswith(".bias")]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_receives_a_gradient(name: str) -> None:
    network = small(name)
    step(network)
    assert idle(network) == []


def test_with_supervision_frozen_the_regression_alone_learns() -> None:
    network = small("mss-msr")
    freeze(network, ["supervision"])
    step(network, ("regressed-*",))
    assert [name for name, p in network.supervision.named_parameters() if p.grad is not None] == []
    assert idle(network.regression) == []


def test_weights_of_the_mss_net_give_the_same_maps_within_the_whole_network(tmp_path: Path) -> None:
    alone, whole = small("mss", seed=1), small("mss-msr", seed=2)
    networks.save(alone, tmp_path / "weights.safetensors")
    networks.load(whole, "supervision", tmp_path / "weights.safetensors")
    images = torch.randn(2, 3, 92, 64)
    maps = whole(images)
    assert all(torch.equal(maps[name], value) for name, value in alone(images).items())


def smooth() -> Tensor:
    """Images as photographs are: white noise averages out, and batch normalisation would amplify the rounding."""
    return F.interpolate(torch.randn(4, 3, 8, 8), size=(128, 128), mode="bilinear")


def differences(found: dict[str, Tensor], expected: dict[str, Tensor]) -> list[float]:
    """Of each output, in its standard deviations."""
    return [((maps.float() - expected[name]).std() / expected[name].std()).item() for name, maps in found.items()]


@pytest.mark.parametrize("name", ["hourglass", "mss"])
def test_bf16_and_channels_last_give_nearly_the_same_maps(name: str) -> None:
    network, images = small(name, features=32), smooth()
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        maps = network(images.contiguous(memory_format=torch.channels_last))
    assert max(differences(maps, expected)) < 0.15


def test_bf16_and_channels_last_regress_the_same_maps_to_nearly_the_same() -> None:
    network = small("mss-msr", features=32)
    features = network.supervision.stem(smooth())
    maps = list(network.supervision.supervised(features).values())[-4:]
    expected = network.regression(features, maps)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        regressed = network.regression(features, maps)
    assert max(differences(regressed, expected)) < 0.15


@pytest.mark.usefixtures("deterministic")
def test_two_runs_from_one_seed_give_the_same_gradients_under_deterministic_kernels() -> None:
    def gradients() -> list[Tensor]:
        network = small("mss-msr").to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            step(network)
        return [parameter.grad for parameter in network.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients(), strict=True))


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg16"}, r"mssa: backbone 'vgg16' is not known; choose from hourglass$"),
        ({"supervision": "two"}, r"mssa: supervision 'two' is not known; choose from one scale, all scales$"),
        ({"regression": "one scale"}, r"mssa: regression 'one scale' is not known; choose from none, all scales$"),
        ({"supervision": "one scale"}, r"mssa: regression needs maps of all scales; set supervision: all scales, or "),
        ({"stacks": 0}, r"stacks 0, .* give 1 or more"),
        ({"features": 30}, r"features 30; .* multiple of 4"),
    ],
)
def test_a_network_that_does_not_exist_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mssa.build(MPII, **({"backbone": "hourglass"} | arguments))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_size_that_does_not_divide_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"image size 64x102: .* multiples of 4"):
        small(name)(torch.zeros(1, 3, 64, 102))
