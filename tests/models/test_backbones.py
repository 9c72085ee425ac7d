"""The four front-end CNNs: sizes against published counts, dilation and weights against the networks they come from."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from posetables.errors import InputError
from posetables.models import resnet, vgg
from posetables.models.cpm import CPM, centre_map
from posetables.models.hourglass import StackedHourglass
from posetables.models.layers import map_predictor, narrowed

SMALL = {
    "vgg16": lambda: vgg.VGG16(width=0.125),
    "resnet101": lambda: resnet.ResNet(101, width=0.125, stride=8),
    "cpm": lambda: CPM(15, stages=3, width=0.125),
    "hourglass": lambda: StackedHourglass(15, stacks=2, features=32),
}


def parameters(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def test_vgg16_has_torchvisions_138357544_parameters_less_fc8() -> None:
    with torch.device("meta"):
        assert parameters(vgg.VGG16()) == 138_357_544 - (4096 + 1) * 1000


@pytest.mark.parametrize(("depth", "torchvisions"), [(50, 25_557_032), (101, 44_549_160), (152, 60_192_808)])
def test_resnets_have_torchvisions_parameters_less_their_classifier(depth: int, torchvisions: int) -> None:
    with torch.device("meta"):
        assert parameters(resnet.ResNet(depth)) == torchvisions - (2048 + 1) * 1000


@pytest.mark.parametrize(("stages", "count"), [(1, 4_386_095), (2, 11_901_406), (3, 16_731_021), (6, 31_219_866)])
def test_cpm_has_the_parameters_of_its_release(stages: int, count: int) -> None:
    with torch.device("meta"):
        cpm = CPM(15, stages=stages)
        assert parameters(cpm, map_predictor(cpm.channels, 15)) == count


# 160,512 is the difference between units 128 -> 256 -> 256 of pytorch-pose's stem and Newell's 128 -> 128 -> 256.
@pytest.mark.parametrize(
    ("stacks", "count"),
    [(8, 25_434_112), (1, 3_586_960 - 160_512), (2, 6_730_912 - 160_512), (8, 25_594_624 - 160_512)],
)
def test_hourglass_has_the_parameters_of_newells_code(stacks: int, count: int) -> None:
    with torch.device("meta"):
        hourglass = StackedHourglass(16, stacks=stacks)
        assert parameters(hourglass, map_predictor(hourglass.channels, 16)) == count


@pytest.mark.parametrize(
    ("channels", "width", "expected"), [(64, 1, 64), (64, 0.25, 16), (32, 0.1, 8), (512, 0.3, 152)]
)
def test_narrowing_rounds_to_multiples_of_8(channels: int, width: float, expected: int) -> None:
    assert narrowed(channels, width) == expected


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [(128, 64), (192, 256)])
def test_the_stride_is_8_or_4_at_every_size(name: str, size: tuple[int, int]) -> None:
    stride = 4 if name == "hourglass" else 8
    backbone = SMALL[name]()
    features, maps = backbone(torch.zeros(1, 3, *size))
    assert features.shape == (1, backbone.channels, size[0] // stride, size[1] // stride)
    assert all(value.shape == (1, 15, *features.shape[2:]) for value in maps.values())


@pytest.mark.parametrize("name", SMALL)
def test_a_size_that_does_not_divide_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"image size 64x102: .* multiples of (8|4)"):
        SMALL[name]()(torch.zeros(1, 3, 64, 102))


@pytest.mark.parametrize("name", ["vgg16", "cpm"])
@pytest.mark.parametrize("seed", range(4))
def test_narrow_networks_without_batch_normalisation_start_alive(name: str, seed: int) -> None:
    torch.manual_seed(seed)
    backbone = SMALL[name]()
    images = torch.randn(4, 3, 64, 64)
    features, _ = backbone(images)
    features.sum().backward()
    assert 0.03 < features.std().item() < 30
    assert features.flatten(2).std(dim=2).max() > 0.01  # not the same at all pixels
    weights = [parameter for name, parameter in backbone.named_parameters() if name.endswith("weight")]
    assert all(weight.grad.any() for weight in weights)


def test_fc6_as_a_convolution_computes_what_torchvisions_linear_layer_does() -> None:
    linear, fc7 = nn.Linear(8 * 7 * 7, 16), nn.Linear(16, 16)
    state = {"classifier.0.weight": linear.weight, "classifier.3.weight": fc7.weight, "classifier.6.bias": fc7.bias}
    converted = vgg.from_torchvision(state, ["classifier.0.weight", "classifier.3.weight"])
    x = torch.randn(2, 8, 7, 7)
    as_map = nn.functional.conv2d(x, converted["classifier.0.weight"])[:, :, 0, 0]
    torch.testing.assert_close(as_map, x.flatten(1) @ linear.weight.T)
    assert converted["classifier.3.weight"].shape == (16, 16, 1, 1)
    assert "classifier.6.bias" not in converted


def torchvision_shape(network: nn.Module, classifier: str) -> dict[str, Tensor]:
    """A state dict as torchvision has it, made from our own by undoing what `from_torchvision` does."""
    state = {name: value.flatten(1) if name.startswith("classifier") and value.ndim == 4 else value
             for name, value in network.state_dict().items()}  # fmt: skip
    return state | {f"{classifier}.weight": torch.zeros(1000, 8), f"{classifier}.bias": torch.zeros(1000)}


def test_torchvisions_vgg16_names_load() -> None:
    network = SMALL["vgg16"]()
    network.load_state_dict(vgg.from_torchvision(torchvision_shape(network, "classifier.6"), network.state_dict()))
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    assert convolutions == [f"features.{number}" for number in numbers] + ["classifier.0", "classifier.3"]


def test_torchvisions_resnet101_names_load() -> None:
    network = SMALL["resnet101"]()
    network.load_state_dict(resnet.from_torchvision(torchvision_shape(network, "fc"), network.state_dict()))
    assert {"conv1.weight", "bn1.running_var", "layer3.22.conv2.weight", "layer4.0.downsample.1.bias"} <= set(
        network.state_dict()
    )


def test_vgg16_weights_without_fc6_are_refused() -> None:
    with pytest.raises(InputError, match="classifier.0.weight is missing"):
        vgg.from_torchvision({"features.0.weight": torch.zeros(8, 3, 3, 3)}, ["features.0.weight"])


def test_every_fourth_output_of_the_dilated_resnet_is_that_of_the_strided_one() -> None:
    torch.manual_seed(0)
    dilated, strided = SMALL["resnet101"]().double().eval(), SMALL["resnet101"]().double().eval()
    for module in dilated.modules():
        if isinstance(module, resnet.Bottleneck):
            nn.init.ones_(module.bn3.weight)  # units that start as their shortcuts would hide every dilation
    strided.load_state_dict(dilated.state_dict())
    for layer in (strided.layer3, strided.layer4):
        for block in layer:
            block.conv2.dilation = block.conv2.padding = (1, 1)
        layer[0].conv2.stride = layer[0].downsample[0].stride = (2, 2)
    images = torch.randn(1, 3, 128, 96, dtype=torch.float64)
    torch.testing.assert_close(dilated(images)[0][:, :, ::4, ::4], strided(images)[0])


@pytest.mark.parametrize("stride", [16, 32])
def test_resnets_of_stride_16_and_32_are_not_dilated(stride: Literal[16, 32]) -> None:
    network = resnet.ResNet(152, width=0.125, stride=stride, blocks=2)
    assert network(torch.zeros(2, 3, 64, 96))[0].shape == (2, network.channels, 64 // stride, 96 // stride)
    assert {module.dilation for module in network.modules() if isinstance(module, nn.Conv2d)} == {(1, 1)}


def test_a_resnet_of_stride_16_keeps_the_resolution_of_its_last_layer_alone() -> None:
    network = resnet.ResNet(50, width=0.125, stride=16, blocks=1)
    strides = {name: layer.stride[0] for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)}
    halving = {name.partition(".")[0] for name, stride in strides.items() if stride == 2}
    assert halving == {"conv1", "layer2", "layer3"}


@pytest.mark.parametrize(("blocks", "counts"), [(1, [1, 1, 1, 1]), (5, [3, 5, 5, 3]), (None, [3, 8, 36, 3])])
def test_blocks_cut_the_layers_that_have_more(blocks: int | None, counts: list[int]) -> None:
    network = resnet.ResNet(152, width=0.01, blocks=blocks)
    assert [len(layer) for layer in (network.layer1, network.layer2, network.layer3, network.layer4)] == counts


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"depth": 34}, "ResNet of 34 layers: not known; choose from 50, 101, 152"),
        ({"depth": 50, "blocks": 0}, "give 1"),
    ],
)
def test_a_resnet_that_does_not_exist_is_refused(arguments: dict[str, int], told: str) -> None:
    with pytest.raises(InputError, match=told):
        resnet.ResNet(**arguments)


def test_fc6_of_the_dilated_vgg16_reaches_12_cells_and_no_more() -> None:
    fc6 = SMALL["vgg16"]().classifier[0]
    impulse = torch.zeros(1, fc6.in_channels, 31, 31)
    impulse[:, :, 15, 15] = 1
    reached = fc6(impulse)[0].abs().sum(0).nonzero() - 15
    assert sorted(set(reached.flatten().tolist())) == [-12, -8, -4, 0, 4, 8, 12]


def test_conv5_of_the_dilated_vgg16_skips_what_pool4_no_longer_does() -> None:
    convolutions = [module for module in SMALL["vgg16"]().features if isinstance(module, nn.Conv2d)]
    assert [module.dilation[0] for module in convolutions] == [1] * 10 + [2] * 3


def test_the_stages_of_cpm_pass_on_features_then_probabilities_then_the_centre() -> None:
    cpm = SMALL["cpm"]()
    nn.init.normal_(cpm.predictors[0].weight, std=3)
    given: list[Tensor] = []
    cpm.stages[0].register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    images = torch.randn(1, 3, 64, 64)
    maps = cpm(images)[1]["stage1"]
    torch.testing.assert_close(given[0][:, -16:-1], 1 / (1 + torch.exp(-maps)))
    torch.testing.assert_close(given[0][:, -1:], centre_map(images))


def test_the_centre_map_is_cpms_gaussian_of_21_pixels_averaged_over_9x9() -> None:
    ours = centre_map(torch.zeros(2, 3, 368, 368, dtype=torch.float64))
    assert ours.shape == (2, 1, 46, 46)
    for row, column in ((0, 0), (22, 23), (30, 17)):
        window = [
            math.exp(-((y - 183.5) ** 2 + (x - 183.5) ** 2) / (2 * 21**2))
            for y in range(8 * row, 8 * row + 9)
            for x in range(8 * column, 8 * column + 9)
        ]
        assert ours[1, 0, row, column].item() == pytest.approx(sum(window) / 81)


def test_the_later_stages_of_cpm_share_the_tower_of_stage_2() -> None:
    with torch.device("meta"):
        kernels = [m.kernel_size[0] for m in CPM(15, stages=6).modules() if isinstance(m, nn.Conv2d)]
    assert kernels.count(9) == 4 + 3
    assert kernels.count(5) == 1 + 5


def test_strided_vgg16_has_the_layers_of_the_dilated_one_under_the_same_names() -> None:
    strided, dilated = vgg.StridedVGG16(width=0.125), SMALL["vgg16"]()
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (strided, dilated)]
    assert shapes[0] == shapes[1]


def test_strided_vgg16_is_configuration_d_of_its_paper_with_fc6_and_fc7_at_every_cell() -> None:
    network = vgg.StridedVGG16(width=0.125, dropout=0.0).double()
    layers = iter(list(network.state_dict().values()))
    images = x = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    pools = []
    for convolutions in (2, 2, 3, 3, 3):
        for _ in range(convolutions):
            x = nn.functional.relu(nn.functional.conv2d(x, next(layers), next(layers), padding=1))
        x = nn.functional.max_pool2d(x, 2)
        pools.append(x)
    for padding in (3, 0):
        x = nn.functional.relu(nn.functional.conv2d(x, next(layers), next(layers), padding=padding))
    for found, expected in zip(network(images), (pools[2], pools[3], x), strict=True):
        torch.testing.assert_close(found, expected)


def test_pools_of_strided_vgg16_round_up() -> None:
    with torch.device("meta"):
        outputs = vgg.StridedVGG16(width=0.125)(torch.zeros(1, 3, 380, 300))
    assert [tuple(each.shape[2:]) for each in outputs] == [(48, 38), (24, 19), (12, 10)]
