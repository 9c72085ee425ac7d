"""Part heatmap regression (Bulat & Tzimiropoulos): sizes against the paper's tables, layers against slow ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.errors import InputError
from posetables.models import phr
from posetables.stages import network as networks
from posetables.stages.train import freeze

NARROW: dict[str, dict[str, Any]] = {
    "vgg16": {"width": 0.125, "dropout": 0.0},
    "resnet152": {"width": 0.125, "blocks": 1, "features": 16},
}
OUTPUTS = {
    "detection": ["detected"],
    "regression": ["first"],
    "detection+regression": ["detected", "regressed"],
    "regression+regression": ["first", "regressed"],
}
TWO = ("detection+regression", "regression+regression")


def small(backbone: str, cascade: str = "detection+regression", seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return phr.build(MPII, backbone=backbone, cascade=cascade, **NARROW[backbone])  # type: ignore[arg-type]


def awake(network: Any) -> Any:
    """With random values wherever the network starts at zero, so that every layer shows."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return network


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Sizes


def convolution(kernel: int, inputs: int, outputs: int) -> int:
    return kernel**2 * inputs * outputs + outputs


def bottleneck(inputs: int, outputs: int) -> int:
    half = outputs // 2
    shortcut = convolution(1, inputs, outputs) if inputs != outputs else 0
    convolutions = convolution(1, inputs, half) + convolution(3, half, half) + convolution(1, half, outputs)
    return convolutions + 2 * (inputs + half + half) + shortcut


TABLE_1 = 138_357_544 - convolution(1, 4096, 1000) + sum(convolution(1, inputs, 16) for inputs in (256, 512, 4096))
TABLE_2 = (
    convolution(9, 3 + 16, 64) + convolution(13, 64, 64) + convolution(13, 64, 128) + convolution(15, 128, 256)
    + convolution(1, 256, 512) + convolution(1, 512, 512) + convolution(1, 512, 16) + convolution(8, 16, 16)
)  # fmt: skip
TABLE_3 = 58_143_808 + convolution(1, 2048, 16) + convolution(4, 16, 16)
TABLE_4 = (
    convolution(7, 3 + 16, 64) + 2 * 64
    + bottleneck(64, 128) + bottleneck(128, 128) + bottleneck(128, 256)
    + 4 * (2 * 3 * bottleneck(256, 256) + convolution(2, 256, 256))
    + convolution(1, 256, 512) + 2 * 512 + convolution(1, 512, 16) + convolution(8, 16, 16)
)  # fmt: skip


@pytest.mark.parametrize(
    ("backbone", "cascade", "count"),
    [
        ("vgg16", "detection", TABLE_1),
        ("vgg16", "regression", TABLE_1),
        ("vgg16", "detection+regression", TABLE_1 + TABLE_2),
        ("resnet152", "detection", TABLE_3),
        ("resnet152", "regression", TABLE_3),
        ("resnet152", "regression+regression", TABLE_3 + TABLE_4),
    ],
)
def test_networks_have_the_parameters_of_the_papers_tables(backbone: Any, cascade: Any, count: int) -> None:
    with torch.device("meta"):
        assert parameters(phr.build(MPII, backbone=backbone, cascade=cascade)) == count


@pytest.mark.parametrize("cascade", OUTPUTS)
@pytest.mark.parametrize(
    ("backbone", "image", "first"),
    [
        ("vgg16", (64, 96), (64, 96)),
        ("vgg16", (60, 76), (60, 76)),  # as 380: no power of two
        ("resnet152", (64, 96), (16, 24)),
        ("resnet152", (80, 112), (20, 28)),  # cells 20, 10, 5, 3, 2 and 28, 14, 7, 4, 2
    ],
)
def test_maps_come_in_order_at_their_resolutions(
    backbone: str, cascade: str, image: tuple[int, int], first: tuple[int, int]
) -> None:
    maps = small(backbone, cascade)(torch.zeros(2, 3, *image))
    shapes = [(2, 16, *first), (2, 16, *image)]
    assert [(name, tuple(each.shape)) for name, each in maps.items()] == list(
        zip(OUTPUTS[cascade], shapes, strict=False)
    )


# Enlarging


def interpolated(maps: np.ndarray, times: int) -> np.ndarray:
    """Between the centres of cells; beyond the outermost, their values."""
    for axis in (2, 3):
        cells = np.arange(maps.shape[axis])
        pixels = (np.arange(times * len(cells)) + 0.5) / times - 0.5
        maps = np.apply_along_axis(lambda line, at=pixels, of=cells: np.interp(at, of, line), axis, maps)
    return maps


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("times", [2, 4, 8])
def test_enlarged_maps_are_interpolated_up_to_the_border_and_cut(times: int) -> None:
    maps = noise(2, 3, 5, 4)
    found = phr.enlarged(maps, times, torch.empty(2, 3, 5 * times - 1, 4 * times))
    np.testing.assert_allclose(found, interpolated(maps.numpy(), times)[:, :, :-1], atol=1e-12)


@pytest.mark.parametrize("stride", [2, 4])
def test_a_new_deconvolution_of_twice_its_stride_interpolates_inside(stride: int) -> None:
    maps = noise(2, 3, 5, 4)
    found = phr.deconvolution(3, kernel=2 * stride, stride=stride).double()(maps).detach().numpy()
    inside = np.s_[:, :, stride:-stride, stride:-stride]
    assert found.shape == (2, 3, 5 * stride, 4 * stride)
    np.testing.assert_allclose(found[inside], interpolated(maps.numpy(), stride)[inside], atol=1e-12)


@pytest.mark.parametrize("stride", [2, 4])
def test_a_new_deconvolution_as_wide_as_its_stride_repeats_cells(stride: int) -> None:
    maps = noise(2, 3, 5, 4)
    found = phr.deconvolution(3, kernel=stride, stride=stride).double()(maps).detach()
    np.testing.assert_allclose(found, maps.numpy().repeat(stride, 2).repeat(stride, 3), atol=1e-12)


# The networks, layer by layer


def test_fcn_8s_adds_scores_of_fc7_pool4_and_pool3_from_coarse_to_fine() -> None:
    network = awake(small("vgg16", "detection").detection.double())
    images = noise(2, 3, 60, 64)
    scores = [
        score(each).detach().numpy() for score, each in zip(network.scores, network.backbone(images), strict=True)
    ]
    expected = scores[2]
    for score in scores[1::-1]:
        expected = interpolated(expected, 2)[:, :, : score.shape[2], : score.shape[3]] + score
    np.testing.assert_allclose(network(images).detach(), interpolated(expected, 8)[:, :, :60, :64], atol=1e-12)


def test_residual_detection_scores_res5c_and_enlarges_four_times() -> None:
    network = awake(small("resnet152", "detection").detection.double())
    images = noise(2, 3, 64, 32)
    features = network.backbone(images)[0].detach().numpy()
    weight, bias = (each.detach().numpy() for each in (network.score.weight, network.score.bias))
    scores = np.einsum("oi,bihw->bohw", weight[:, :, 0, 0], features) + bias[:, None, None]
    expected = scores.repeat(4, 2).repeat(4, 3) + network.enlarge.bias.detach().numpy()[:, None, None]
    np.testing.assert_allclose(network(images).detach(), expected, atol=1e-12)


def test_vgg_regression_is_table_2_with_two_pools() -> None:
    network = awake(phr.VGGRegression(16, 0.125).double())
    state = list(network.state_dict().values())
    stacked = x = noise(1, 19, 44, 36)
    for number, (weight, bias) in enumerate(zip(state[:-2:2], state[1:-2:2], strict=True)):
        x = F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)
        x = F.relu(x) if number < 6 else x
        x = F.max_pool2d(x, 2) if number < 2 else x
    expected = F.conv_transpose2d(x, *state[-2:], stride=4, padding=2)
    torch.testing.assert_close(network(stacked), expected)


def pooled(x: np.ndarray) -> np.ndarray:
    """Maxima of 2x2 cells, of what is there of them at the border."""
    rows, columns = range(0, x.shape[2], 2), range(0, x.shape[3], 2)
    return np.stack(
        [np.stack([x[:, :, i : i + 2, j : j + 2].max((2, 3)) for j in columns], -1) for i in rows], -2
    )  # fmt: skip


def of_shortcuts(x: np.ndarray, depth: int) -> np.ndarray:
    """Newell's hourglass with all units replaced by their shortcuts."""
    low = pooled(x)
    low = of_shortcuts(low, depth - 1) if depth > 1 else low
    return x + low.repeat(2, 2).repeat(2, 3)[:, :, : x.shape[2], : x.shape[3]]


@pytest.mark.parametrize("sides", [(16, 32), (23, 20)])
def test_a_new_hourglass_is_newells_with_nothing_but_shortcuts(sides: tuple[int, int]) -> None:
    x = noise(2, 8, *sides)
    found = phr.Hourglass(4, 8).double()(x).detach()
    np.testing.assert_allclose(found, of_shortcuts(x.numpy(), 4), atol=1e-12)


def test_an_hourglass_adds_what_was_kept_to_what_came_up_at_every_depth() -> None:
    hourglass = awake(phr.Hourglass(4, 8).double())
    x = expected = noise(2, 8, 23, 20)
    levels = [each for each in hourglass.modules() if isinstance(each, phr.Hourglass)]
    ways = [x]
    for level in levels:
        ways.append(level.down(ways[-1]))
    expected = ways.pop()
    for level, way in zip(reversed(levels), reversed(ways), strict=True):
        expected = level.keep(way) + level.up(expected)[:, :, : way.shape[2], : way.shape[3]]
    torch.testing.assert_close(hourglass(x), expected)


# The cascade


def stacked_by(network: Any, images: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Maps, and what the regression was given."""
    given: list[Tensor] = []
    network.regression.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].detach()))
    maps = {name: each.detach() for name, each in network(images).items()}
    return maps, given[0]


@pytest.mark.parametrize(("backbone", "times"), [("vgg16", 1), ("resnet152", 4)])
def test_the_regression_sees_probabilities_of_the_detector_at_the_images_resolution(backbone: str, times: int) -> None:
    network, images = awake(small(backbone).double()), noise(2, 3, 64, 80)
    maps, given = stacked_by(network, images)
    probabilities = 1 / (1 + np.exp(-maps["detected"].numpy()))
    np.testing.assert_allclose(given[:, :16], interpolated(probabilities, times), atol=1e-12)


@pytest.mark.parametrize(("backbone", "times"), [("vgg16", 1), ("resnet152", 4)])
def test_the_second_regression_sees_the_maps_of_the_first_as_they_are(backbone: str, times: int) -> None:
    network, images = awake(small(backbone, "regression+regression").double()), noise(2, 3, 64, 80)
    maps, given = stacked_by(network, images)
    np.testing.assert_allclose(given[:, :16], interpolated(maps["first"].numpy(), times), atol=1e-12)


@pytest.mark.parametrize("cascade", TWO)
@pytest.mark.parametrize("backbone", NARROW)
def test_the_image_is_stacked_behind_the_maps(backbone: str, cascade: str) -> None:
    images = torch.randn(2, 3, 64, 80)
    _, given = stacked_by(small(backbone, cascade), images)
    assert torch.equal(given[:, 16:], images)


# Initial values


@pytest.mark.parametrize("backbone", NARROW)
def test_a_new_detector_finds_every_part_everywhere_with_one_half(backbone: str) -> None:
    assert not small(backbone)(torch.randn(2, 3, 64, 64))["detected"].any()


@pytest.mark.parametrize("cascade", TWO)
def test_new_residual_regression_gives_maps_of_zeros(cascade: str) -> None:
    assert not small("resnet152", cascade)(torch.randn(2, 3, 64, 64))["regressed"].any()


def regression_convolutions(width: float) -> list[nn.Conv2d]:
    return [each for each in phr.VGGRegression(16, width) if isinstance(each, nn.Conv2d)]


def test_vgg_regression_starts_with_weights_of_deviation_01() -> None:
    deviations = [each.weight.std().item() for each in regression_convolutions(1.0)]
    assert deviations == pytest.approx([0.01] * 7, rel=0.03)


def test_narrow_vgg_regression_keeps_the_variance_of_what_its_layers_give() -> None:
    def gains(width: float) -> list[float]:
        return [each.weight.square().sum((1, 2, 3)).mean().item() for each in regression_convolutions(width)]

    assert gains(0.25) == pytest.approx(gains(1.0), rel=0.15)


def loss(network: nn.Module, images: Tensor, seed: int) -> Tensor:
    """Squared errors of all maps against fixed random ones."""
    generator = torch.Generator().manual_seed(seed)
    maps: dict[str, Tensor] = network(images)
    errors = [(each - torch.rand(each.shape, generator=generator)).square().mean() for each in maps.values()]
    return torch.stack(errors).sum()


def learn(network: nn.Module, steps: int) -> None:
    """Steps of gradient descent, and the gradient of the next."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for step in range(steps + 1):
        optimizer.zero_grad()
        loss(network, torch.randn(2, 3, 64, 64), step).backward()
        if step < steps:
            optimizer.step()


def test_the_papers_zeros_taken_literally_would_leave_the_maps_of_all_images_the_same() -> None:
    network = small("resnet152")
    with torch.no_grad():
        for module in network.regression.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.zero_()
                module.bias.zero_()
    learn(network, 3)
    score = network.regression.predictor[1]
    first, second = network.eval()(torch.randn(2, 3, 64, 64))["regressed"]
    assert score.bias.any() and not score.weight.any()
    assert torch.equal(first, second)


def idle(network: nn.Module) -> list[str]:
    """Parameters without a gradient; but not biases, which batch normalisation rightly takes off again."""
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    return [name for name in still if not name.endswith(".bias")]


@pytest.mark.parametrize("cascade", OUTPUTS)
@pytest.mark.parametrize("backbone", NARROW)
def test_after_two_steps_a_gradient_reaches_every_parameter(backbone: str, cascade: str) -> None:
    network = small(backbone, cascade)
    learn(network, 2)
    assert idle(network) == []


# Training in stages


@pytest.mark.parametrize("backbone", NARROW)
def test_the_loss_of_the_regression_leaves_a_frozen_detector_alone(backbone: str) -> None:
    network = awake(small(backbone))
    freeze(network, ["detection"])
    network(torch.randn(2, 3, 64, 64))["regressed"].square().mean().backward()
    assert [name for name, p in network.detection.named_parameters() if p.grad is not None] == []
    assert idle(network.regression) == []


@pytest.mark.parametrize("backbone", NARROW)
def test_in_joint_training_the_loss_of_the_regression_reaches_the_detector(backbone: str) -> None:
    network = awake(small(backbone))
    network(torch.randn(2, 3, 64, 64))["regressed"].square().mean().backward()
    assert idle(network.detection) == []


@pytest.mark.parametrize("backbone", NARROW)
def test_a_detector_trained_alone_gives_the_same_maps_within_the_cascade(backbone: str, tmp_path: Path) -> None:
    alone, cascade = awake(small(backbone, "detection", seed=1)), small(backbone, seed=2)
    networks.save(alone, tmp_path / "weights.safetensors")
    cascade.load_state_dict(alone.state_dict(), strict=False)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(cascade(images)["detected"], alone(images)["detected"])


@pytest.mark.parametrize("backbone", NARROW)
def test_bf16_and_channels_last_give_nearly_the_same_maps(backbone: str) -> None:
    network = small(backbone)
    learn(network, 2)
    images = F.interpolate(torch.randn(4, 3, 8, 8), size=(64, 64), mode="bilinear")
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        maps = network(images.contiguous(memory_format=torch.channels_last))
    differences = {
        name: ((each.float() - expected[name]).std() / expected[name].std()).item() for name, each in maps.items()
    }
    assert max(differences.values()) < 0.15, differences


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("backbone", NARROW)
def test_two_runs_from_one_seed_give_the_same_gradients_under_deterministic_kernels(backbone: str) -> None:
    def gradients() -> list[Tensor]:
        network = awake(small(backbone)).to(memory_format=torch.channels_last)
        loss(network, torch.randn(2, 3, 32, 32), 0).backward()
        return [parameter.grad for parameter in network.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients(), strict=True))


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg19"}, r"phr: backbone 'vgg19' is not known; choose from vgg16, resnet152$"),
        ({"cascade": "detect"}, r"phr: cascade 'detect' is not known; choose from detection, regression, detection\+"),
        ({"features": 8}, r"phr: argument of backbone vgg16 'features' is not known; choose from width, dropout$"),
        ({"backbone": "resnet152", "dropout": 0.5}, r"backbone resnet152 'dropout' .* width, features, blocks$"),
        ({"backbone": "resnet152", "blocks": 1, "features": 30}, r"phr: features 30; give a multiple of 4$"),
    ],
)
def test_a_network_that_does_not_exist_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with torch.device("meta"), pytest.raises(InputError, match=message):
        phr.build(MPII, **({"backbone": "vgg16", "cascade": "detection+regression"} | arguments))


@pytest.mark.parametrize(("backbone", "multiple"), [("vgg16", 4), ("resnet152", 16)])
def test_a_size_that_does_not_divide_is_refused(backbone: str, multiple: int) -> None:
    with pytest.raises(InputError, match=f"image size 64x90: .* multiples of {multiple};"):
        small(backbone)(torch.zeros(1, 3, 64, 90))
