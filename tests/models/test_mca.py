"""Multi-Context Attention (Chu et al.): Eq. 2-13 by loops over locations in float64, sizes against released counts."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.errors import InputError
from posetables.models import mca
from posetables.models.hourglass import StackedHourglass

ROWS: dict[str, dict[str, Any]] = {
    "BL": {"attention": "none", "units": "residual"},
    "BL+MS": {"attention": "crf", "units": "residual", "resolutions": 1, "parts": 0},
    "BL+MS+HRU": {"attention": "crf", "units": "hourglass", "resolutions": 1, "parts": 0},
    "BL+MS+HRU+MR": {"attention": "crf", "units": "hourglass", "resolutions": 4, "parts": 0},
    "BL+MS+HRU+MR+HP": {"attention": "crf", "units": "hourglass", "resolutions": 4, "parts": 0.5},
}
NETWORKS = ROWS | {"softmax": {"attention": "softmax"}, "released": {"variant": "released", "resolutions": 1}}

Map = list[list[float]]


def small(name: str, **size: int) -> mca.MCA:
    torch.manual_seed(0)
    return mca.build(MPII, backbone="hourglass", **({"stacks": 2, "features": 16} | NETWORKS[name] | size))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# Sizes

BASELINE = 25_434_112  # Newell's code
ATTENTION = 9 * 256 + 1 + 11 * 11  # W^a and W^k of one map
NORM = 2 * 256
BRANCH_C = 2 * (NORM + 9 * 256**2 + 256) + 4 * 256**2 + 256
SIZES = [
    ("BL", BASELINE),
    ("BL+MS", BASELINE + 8 * 2 * ATTENTION),
    ("BL+MS+HRU", BASELINE + 8 * 2 * ATTENTION + 8 * 4 * BRANCH_C),
    ("BL+MS+HRU+MR", BASELINE + 8 * 5 * ATTENTION + 8 * 4 * (BRANCH_C + NORM)),
    ("BL+MS+HRU+MR+HP", BASELINE + 4 * (5 + 20) * ATTENTION + 8 * 4 * (BRANCH_C + NORM)),
]


@pytest.mark.parametrize(("row", "count"), SIZES)
def test_each_row_of_fig_8_adds_the_parameters_of_its_own_part(row: str, count: int) -> None:
    with torch.device("meta"):
        assert parameters(mca.build(MPII, backbone="hourglass", **ROWS[row])) == count


@pytest.mark.parametrize(("stacks", "count"), [(8, 58_312_088), (2, 15_080_774)])
def test_the_released_variant_has_the_parameters_of_the_release(stacks: int, count: int) -> None:
    with torch.device("meta"):
        released = mca.build(MPII, backbone="hourglass", variant="released", resolutions=1, stacks=stacks)
    assert parameters(released) == count


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [64, 92])
def test_every_stack_gives_16_maps_at_a_quarter_of_the_side(name: str, side: int) -> None:
    maps = small(name)(torch.zeros(2, 3, 64, side))
    assert [(key, tuple(value.shape)) for key, value in maps.items()] == [
        ("stack1", (2, 16, 16, side // 4)),
        ("stack2", (2, 16, 16, side // 4)),
    ]


def test_attention_maps_are_named_by_stack_and_by_the_divisor_of_their_sides() -> None:
    _, attention = small("BL+MS+HRU+MR+HP").look(torch.zeros(2, 3, 64, 92))
    body = {"holistic": (1, 16, 23), "holistic-8": (1, 2, 3), "holistic-4": (1, 4, 6), "holistic-2": (1, 8, 12)}
    body["holistic-1"] = (1, 16, 23)
    stack1 = {f"stack1-{name}": shape for name, shape in body.items()} | {"stack1-refined": (1, 16, 23)}
    stack2 = {f"stack2-{name}": shape for name, shape in body.items()} | {"stack2-parts": (16, 16, 23)}
    assert {name: tuple(value.shape[1:]) for name, value in attention.items()} == stack1 | stack2


@pytest.mark.parametrize(
    ("name", "stacks", "share", "expected"),
    [
        ("BL+MS+HRU+MR+HP", 8, 0.5, [5, 6, 7, 8]),
        ("BL+MS+HRU+MR+HP", 8, 5 / 8, [4, 5, 6, 7, 8]),
        ("BL+MS+HRU+MR+HP", 2, 0.5, [2]),
        ("BL+MS+HRU+MR+HP", 1, 0.5, [1]),
        ("BL+MS+HRU+MR", 8, 0, []),
        ("released", 8, 0.5, [5, 6, 7, 8]),
    ],
)
def test_the_last_stacks_attend_to_parts(name: str, stacks: int, share: float, expected: list[int]) -> None:
    network = small(name, stacks=stacks, features=8, parts=share).eval()
    _, attention = network.look(torch.zeros(1, 3, 16, 16))
    assert [key for key in attention if key.endswith("-parts")] == [f"stack{number}-parts" for number in expected]


def test_the_baseline_is_newells_hourglass() -> None:
    baseline, newell = small("BL").eval(), StackedHourglass(16, stacks=2, features=16).eval()
    newell.load_state_dict(baseline.trunk.state_dict())
    images = torch.randn(1, 3, 64, 64)
    features, earlier = newell(images)
    torch.testing.assert_close(baseline(images), earlier | {"stack2": baseline.predictor(features)}, rtol=0, atol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_next_stack_sees_features_before_attention_and_maps(name: str) -> None:
    network = small(name).double().eval()
    trunk = network.trunk
    passed: dict[str, Tensor] = {}
    trunk.stacks[0][-1].register_forward_hook(lambda module, inputs, output: passed.update(features=output))
    trunk.stacks[1][0].skip.register_forward_pre_hook(lambda module, inputs: passed.update(next=inputs[0]))
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    maps = network(images)["stack1"]
    expected = trunk.stem(images) + trunk.feature_returns[0](passed["features"]) + trunk.map_returns[0](maps)
    torch.testing.assert_close(passed["next"], expected)


# Section 4: nested hourglasses


def deconvolved_unit() -> mca.HourglassResidual:
    unit = mca.nested_skip(1, 4)
    assert isinstance(unit, mca.HourglassResidual)
    return unit.double().eval()


def test_an_hru_is_the_sum_of_its_three_branches() -> None:
    unit = deconvolved_unit()
    x = torch.randn(1, 4, 7, 9, dtype=torch.float64)
    torch.testing.assert_close(unit(x), x + unit.branches_a_and_b.body(x) + unit.branch_c(x))


def test_hrus_stand_on_the_skip_ways_and_nowhere_else() -> None:
    names = [name for name, unit in small("BL+MS+HRU").named_modules() if isinstance(unit, mca.HourglassResidual)]
    ways = ["skip", "inner.skip", "inner.inner.skip", "inner.inner.inner.skip"]
    assert sorted(names) == sorted(f"trunk.stacks.{stack}.0.{way}" for stack in (0, 1) for way in ways)


@pytest.mark.parametrize(("depth", "hrus"), [(4, 2), (3, 1), (2, 0), (1, 0)])
def test_the_release_has_hrus_at_the_two_finest_resolutions(depth: int, hrus: int) -> None:
    first, *others = mca.released_skip(depth, 8)
    assert not isinstance(first, mca.HourglassResidual)
    assert [type(unit) for unit in others] == [mca.HourglassResidual] * hrus


def seen_by(branch: nn.Module, row: int, column: int, side: int = 24) -> tuple[int, int]:
    """Height and width of the region of cells that can raise the output at (row, column).

    One cell is raised at a time, above all others; no weight is negative, so that nothing is rectified or cancelled.
    """
    raised = torch.ones(side * side, 4, side * side, dtype=torch.float64)
    raised[torch.arange(side * side), :, torch.arange(side * side)] = 2
    inputs = torch.cat([torch.ones(1, 4, side, side), raised.view(-1, 4, side, side)])
    at_rest, *outputs = branch(inputs)[:, 0, row, column].tolist()
    reached = torch.tensor([output > at_rest for output in outputs]).view(side, side).nonzero()
    height, width = (reached.max(0).values - reached.min(0).values + 1).tolist()
    return height, width


@pytest.mark.parametrize(("row", "column"), [(12, 12), (13, 11)])
def test_branch_b_sees_3x3_and_branch_c_10x10_cells(row: int, column: int) -> None:
    unit = deconvolved_unit()
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.abs_()
        assert seen_by(unit.branches_a_and_b.body, row, column) == (3, 3)
        assert seen_by(nn.Sequential(unit.pooled, unit.enlarge), row, column) == (10, 10)


# Section 5: attention, by loops


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def filtered(x: Map, weights: Map) -> Map:
    """Sum of the neighbours of every location, weighted; nothing beyond the border."""
    height, width, reach = len(x), len(x[0]), len(weights) // 2
    return [
        [
            sum(
                weights[reach + dy][reach + dx] * x[row + dy][column + dx]
                for dy in range(-reach, reach + 1)
                for dx in range(-reach, reach + 1)
                if 0 <= row + dy < height and 0 <= column + dx < width
            )
            for column in range(width)
        ]
        for row in range(height)
    ]


def each(function: Any, *maps: Map) -> Map:
    """A function of the values of some maps at every location."""
    return [[function(*values) for values in zip(*rows, strict=True)] for rows in zip(*maps, strict=True)]


def mean_field(psi: Map, weights: Map, bias: float, steps: int, released: bool) -> Map:
    """Eq. 7 location by location."""
    phi = psi if released else each(sigmoid, psi)
    for _ in range(steps):
        phi = each(lambda unary, spread: sigmoid(unary + spread + bias), psi, filtered(phi, weights))
    return phi


def softmax(s: Map) -> Map:
    """Eq. 4."""
    total = sum(math.exp(value) for row in s for value in row)
    return each(lambda value: math.exp(value) / total, s)


def attended(attention: mca.Attention, features: list[Map]) -> list[Map]:
    """Eq. 3 (or 11) and then Eq. 4 or 7, one map at a time."""
    maps = []
    for index, (weights, bias) in enumerate(
        zip(attention.summary.weight.tolist(), attention.summary.bias.tolist(), strict=True)
    ):
        channels = [filtered(x, w) for x, w in zip(features, weights, strict=True)]
        s = each(lambda *values, bias=bias: sum(values) + bias, *channels)
        if isinstance(attention.field, mca.MeanField):
            maps.append(
                mean_field(s, attention.field.kernel.weight[index, 0].tolist(), 0, attention.field.steps, False)
            )
        else:
            maps.append(softmax(s))
    return maps


def product(features: list[Map], phi: Map) -> list[Map]:
    """Eq. 5: every channel times the attention map."""
    return [each(lambda a, b: a * b, channel, phi) for channel in features]


def classified(features: list[Map], weights: list[float], bias: float) -> Map:
    """One map of a 1x1 convolution."""
    return each(lambda *values: sum(w * v for w, v in zip(weights, values, strict=True)) + bias, *features)


def enlarged_sum(terms: list[Map]) -> Map:
    """Eq. 9's sum: a cell of Phi_r covers 8, 4, 2 or 1 cells of the finest map, each way."""
    finest = terms[-1]
    divisors = [2**power for power in reversed(range(len(terms)))]
    return [
        [
            sum(term[row // divisor][column // divisor] for term, divisor in zip(terms, divisors, strict=True))
            for column in range(len(finest[0]))
        ]
        for row in range(len(finest))
    ]


def normalised(features: list[Map]) -> list[Map]:
    """What a batch normalisation that has seen nothing makes of features, rectified."""
    return [each(lambda value: max(0.0, value / math.sqrt(1 + 1e-5)), channel) for channel in features]


def predicted(head: mca.Head, pyramid: list[list[Map]], f: list[Map], predict: nn.Conv2d) -> list[Map]:
    """Eq. 9, then Eq. 10 or, one part at a time, Eq. 11-13."""
    sources = [f] if len(head.holistic) == 1 else [normalised(level) for level in pyramid]
    terms = [attended(attention, source)[0] for attention, source in zip(head.holistic, sources, strict=True)]
    h1 = product(f, enlarged_sum(terms))
    finer = attended(head.finer, h1)
    maps = []
    for part, (weights, bias) in enumerate(zip(predict.weight.flatten(1).tolist(), predict.bias.tolist(), strict=True)):
        h_part = product(h1, finer[part] if head.name == "parts" else finer[0])
        maps.append(classified(h_part, weights, bias))
    return maps


SIDES = [(1, 1), (2, 2), (3, 3), (5, 6)]
"""Of a pyramid whose sides are halved and rounded up."""


def random_pyramid() -> tuple[Tensor, ...]:
    return tuple(torch.randn(1, 3, *sides, dtype=torch.float64) for sides in SIDES)


def small_head(finer: mca.Finer, field: str, resolutions: int) -> tuple[mca.Head, nn.Conv2d]:
    """A head of 3 features and 4 parts, and its predictor, as in testing."""
    fields = {"softmax": mca.SpatialSoftmax, "crf": lambda maps: mca.MeanField(maps, kernel=5, steps=3)}
    head, predict = mca.Head(3, 4, finer, fields[field], resolutions), nn.Conv2d(3, 4, 1)
    return head.double().eval(), predict.double()


@pytest.mark.parametrize("resolutions", [1, 4])
@pytest.mark.parametrize("field", ["softmax", "crf"])
@pytest.mark.parametrize("finer", ["refined", "parts"])
def test_a_head_is_equations_3_to_13_location_by_location(finer: mca.Finer, field: str, resolutions: int) -> None:
    head, predict = small_head(finer, field, resolutions)
    pyramid, f = random_pyramid(), torch.randn(1, 3, *SIDES[-1], dtype=torch.float64)
    maps, _ = head(pyramid, f, predict)
    expected = predicted(head, [level[0].tolist() for level in pyramid], f[0].tolist(), predict)
    torch.testing.assert_close(maps[0], torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize(("kernel", "steps"), [(11, 3), (3, 3), (5, 1)])
def test_the_mean_field_is_equation_7_neighbour_by_neighbour(kernel: int, steps: int, released: bool) -> None:
    field = mca.MeanField(2, kernel=kernel, steps=steps, released=released).double()
    psi = torch.randn(2, 2, 6, 5, dtype=torch.float64)
    bias = field.kernel.bias.tolist() if released else [0, 0]
    expected = [
        [mean_field(m, field.kernel.weight[n, 0].tolist(), bias[n], steps, released) for n, m in enumerate(maps)]
        for maps in psi.tolist()
    ]
    torch.testing.assert_close(field(psi), torch.tensor(expected, dtype=torch.float64))


def test_the_softmax_is_equation_4_map_by_map() -> None:
    s = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    expected = torch.tensor([[softmax(m) for m in maps] for maps in s.tolist()], dtype=torch.float64)
    torch.testing.assert_close(mca.SpatialSoftmax(3)(s.contiguous(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("released", [False, True])
def test_the_gradient_of_the_mean_field_is_that_of_differences(released: bool) -> None:
    field = mca.MeanField(2, kernel=3, steps=3, released=released).double()
    psi = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda psi, *_: field(psi), (psi, *field.parameters()))


@pytest.mark.parametrize("finer", ["refined", "parts"])
def test_the_gradient_of_a_head_is_that_of_differences(finer: mca.Finer) -> None:
    head, predict = small_head(finer, "crf", 4)
    inputs = [x.requires_grad_() for x in (*random_pyramid(), torch.randn(1, 3, *SIDES[-1], dtype=torch.float64))]

    def maps(*given: Tensor) -> Tensor:
        return head(given[:4], given[4], predict)[0]

    assert torch.autograd.gradcheck(maps, (*inputs, *head.parameters(), *predict.parameters()), fast_mode=True)


# Training


def step(network: mca.MCA, images: Tensor) -> dict[str, Tensor]:
    """Maps after one backward pass of Eq. 14 towards nothing anywhere."""
    maps = network(images)
    sum(value.float().square().mean() for value in maps.values()).backward()
    return maps


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_receives_a_gradient(name: str) -> None:
    network = small(name)
    step(network, torch.randn(2, 3, 64, 64))
    # A bias is rightly without effect where batch normalisation, or a softmax, takes the mean off again.
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert [name for name in idle if not name.endswith(".bias")] == []


def test_every_bias_of_the_mean_fields_potentials_receives_a_gradient() -> None:
    network = small("BL+MS+HRU+MR+HP").double()
    step(network, torch.randn(2, 3, 64, 64, dtype=torch.float64))
    biases = {name: p.grad for name, p in network.heads.named_parameters() if name.endswith("summary.bias")}
    assert len(biases) == 2 * 5
    assert all((gradient.abs() > 1e-12).all() for gradient in biases.values())  # below are errors of rounding


@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("name", NETWORKS)
def test_bf16_and_channels_last_give_nearly_the_same_maps_under_deterministic_kernels(name: str) -> None:
    # Smooth as photographs are: white noise averages out, and batch normalisation would amplify the rounding.
    images = F.interpolate(torch.randn(4, 3, 8, 8), size=(128, 128), mode="bilinear")
    network = small(name, features=32)
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        maps = step(network, images.contiguous(memory_format=torch.channels_last))
    for key, value in maps.items():
        assert (value.float() - expected[key]).std() < 0.15 * expected[key].std()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg16"}, r"mca: backbone 'vgg16' is not known; choose from hourglass$"),
        ({"attention": "sigmoid"}, r"mca: attention 'sigmoid' is not known; choose from none, softmax, crf$"),
        ({"units": "hru"}, r"mca: units 'hru' is not known; choose from residual, hourglass$"),
        ({"resolutions": 2}, r"mca: resolutions 2 is not known; choose from 1, 4$"),
        ({"variant": "torch"}, r"mca: variant 'torch' is not known; choose from paper, released$"),
        ({"stacks": 0}, r"mca: stacks is 0; give 1 or more$"),
        ({"stacks": "8"}, r"mca: stacks is '8'; give 1 or more$"),
        ({"features": 30}, r"mca: features is 30; give a multiple of 8$"),
        ({"parts": 4}, r"mca: parts is 4; give a share of the stacks, 0 to 1$"),
        ({"parts": "half"}, r"mca: parts is 'half'; give a share of the stacks, 0 to 1$"),
        ({"kernel": 10}, r"mca: kernel is 10; give an odd number$"),
        ({"steps": 0}, r"mca: steps is 0; give 1 or more$"),
        ({"variant": "released"}, r"mca: resolutions is 4, variant released has 1; give that or variant paper$"),
        ({"variant": "released", "resolutions": 1, "parts": 0}, r"mca: parts is 0, variant released has 0\.5; "),
        ({"variant": "released", "attention": "softmax"}, r"mca: attention is 'softmax', variant released has 'crf'; "),
        ({"variant": "released", "units": "residual"}, r"mca: units is 'residual', variant released has 'hourglass'; "),
    ],
)
def test_a_network_that_does_not_exist_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mca.build(MPII, **({"backbone": "hourglass"} | arguments))


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match=r"image size 64x102: .* multiples of 4"):
        small("BL")(torch.zeros(1, 3, 64, 102))
