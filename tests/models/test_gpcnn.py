"""Graph-PCNN (Wang et al.): where guided points lie, Eq. 7 point by point, what each variant of Table 2 leaves out."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from posetables.data.skeletons import Skeleton
from posetables.data.skeletons.coco import SKELETON as COCO
from posetables.data.skeletons.mpii import SKELETON as MPII
from posetables.errors import InputError
from posetables.models import gpcnn
from posetables.models.gpcnn import GraphPCNN, Refinement, heat_at, interpolated, sample, shares, shuffled
from posetables.models.hrnet import HRNet
from posetables.models.simple_baseline import SimpleBaseline

CHAIN = Skeleton(
    joints=("hip", "knee", "ankle", "nose"),
    mirror=(),
    parents={"knee": "hip", "ankle": "knee", "nose": "hip"},
    groups={},
    limbs=(("hip", "knee"), ("ankle", "knee")),
)
"""Four joints; the nose has no neighbour."""
NEIGHBOURS = {0: (1,), 1: (0, 2), 2: (1,), 3: ()}
VARIANTS = ("struct-agnostic", "gpr-va", "gpr-vb", "gpr-vc", "gpr")


class Tiny(nn.Module):
    """A backbone of two convolutions, cut between them."""

    multiple, channels = 4, 5

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 6, 4, stride=4), nn.Conv2d(6, 5, 1), nn.Conv2d(5, maps, 1)

    def trunk(self, images: Tensor) -> Tensor:
        return torch.relu(self.first(images))

    def stage(self, visual: Tensor) -> Tensor:
        return self.second(visual)

    def head(self, features: Tensor) -> Tensor:
        return self.last(features)

    def last_stage(self) -> nn.Module:
        return nn.Conv2d(6, 5, 1)


def tiny(variant: str = "gpr", points: float = 1 / 16, kinds: str = "1:1:1", skeleton: Skeleton = CHAIN) -> Any:
    torch.manual_seed(0)
    backbone: Any = Tiny(len(skeleton.joints))
    return GraphPCNN(backbone, skeleton, refinement=variant, points=points, kinds=kinds, hidden=6)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def guided(network: Any, people: int = 3, height: int = 64, width: int = 48) -> dict[str, Any]:
    """Arguments of one step of training."""
    joints = random(people, network.joints, 2, seed=1) * torch.tensor([width / 4 - 1, height / 4 - 1])
    return {
        "images": random(people, 3, height, width, seed=2).float(),
        "joints": joints.float(),
        "positive": 3.0,
        "reliable": 2.0,
        "uniform": random(people, *network.draws(height, width), seed=3).float(),
    }


# The two stages


@pytest.mark.parametrize(("size", "count"), [((128, 96), 48), ((256, 192), 192), ((384, 288), 432)])
def test_n_is_that_of_section_4_2_at_each_size_of_the_input(size: tuple[int, int], count: int) -> None:
    assert tiny(skeleton=COCO).draws(*size) == (17, count, 3)


def test_training_gives_maps_and_six_numbers_of_each_guided_point() -> None:
    network = tiny()
    found = network(**guided(network))
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "heatmaps": (3, 4, 16, 12),
        "points": (3, 4, 12, 6),
    }


def test_testing_gives_the_maps_of_the_backbone_alone() -> None:
    network = tiny()
    images = guided(network)["images"]
    found = network(images)
    assert list(found) == ["heatmaps"]
    expected = network.backbone.head(network.backbone.stage(network.backbone.trunk(images)))
    assert torch.equal(found["heatmaps"], expected)


@pytest.mark.parametrize("n", [0, 5, 11], ids=["near", "far", "high"])
def test_one_point_at_test_time_is_refined_as_the_same_point_in_training(n: int) -> None:
    network = tiny().double().eval()
    given = guided(network)
    given = {name: value.double() if isinstance(value, Tensor) else value for name, value in given.items()}
    trained = network(**given)["points"]
    points = trained[:, :, n, None, :2]
    maps, features = network.see(given["images"])
    reliable = (points - given["joints"][:, :, None]).norm(dim=-1) < given["reliable"]
    tested = network.refine(features, points, heat_at(maps.detach().float(), points), reliable)
    torch.testing.assert_close(tested[:, :, 0], trained[:, :, n])


# Sizes

LAYER4 = (
    (1024 * 512 + 512 * 512 * 9 + 512 * 2048 + 1024 * 2048 + 2 * (512 + 512 + 2048 + 2048))
    + 2 * (2048 * 512 + 512 * 512 * 9 + 512 * 2048 + 2 * (512 + 512 + 2048))
)  # fmt: skip
DECONVOLUTIONS = (2048 * 256 * 16 + 2 * 256) + 2 * (256 * 256 * 16 + 2 * 256)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def small(**arguments: Any) -> Any:
    return gpcnn.build(COCO, **({"backbone": "resnet50", "width": 0.125, "blocks": 1, "hidden": 8} | arguments))


def test_the_localisation_subnet_of_resnet_50_is_another_conv5_with_three_deconvolutions() -> None:
    with torch.device("meta"):
        network: Any = gpcnn.build(COCO, backbone="resnet50")
    assert parameters(network.localisation) == LAYER4 + DECONVOLUTIONS == 25_452_032
    assert parameters(network.backbone) == 33_999_697  # the released Simple Baseline


@pytest.mark.parametrize("backbone", ["resnet50", "hrnet48"])
def test_without_refinement_the_network_is_the_backbone_under_the_names_of_its_release(backbone: str) -> None:
    alone, whole = (small(backbone=backbone, modules=1, refinement=refinement) for refinement in ("none", "gpr"))
    assert isinstance(alone, SimpleBaseline if backbone == "resnet50" else HRNet)
    assert alone.state_dict().keys() == whole.backbone.state_dict().keys()


@pytest.mark.parametrize(("refinement", "matrices"), [("gpr", 17 + 2 * 19), ("struct-agnostic", 17)])
def test_there_is_a_matrix_of_every_joint_and_of_every_edge_both_ways(refinement: str, matrices: int) -> None:
    head = (5 * 6 + 2 * 6) + (6 * 6 + 2 * 6) + 2 * (6 * 2 + 2)
    assert parameters(tiny(refinement, skeleton=COCO).refinement) == matrices * 5**2 + head


@pytest.mark.parametrize("backbone", ["resnet101", "hrnet32"])
def test_small_networks_of_both_families_train(backbone: Any) -> None:
    network = small(backbone=backbone, modules=1)
    network(**guided(network, width=32))["points"].square().mean().backward()
    assert all(p.grad is not None for p in network.refinement.parameters())


def test_training_on_points_reaches_the_trunk_and_not_the_head_of_heatmaps() -> None:
    network = tiny()
    network(**guided(network))["points"][..., 2:].square().sum().backward()
    assert network.backbone.first.weight.grad.any()
    assert network.backbone.last.weight.grad is None


# The graph


def test_the_graph_of_coco_is_its_19_edges() -> None:
    edges = {tuple(sorted(edge)) for edge in COCO.graph}
    one_based = (
        "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 2-3 1-2 1-3 2-4 3-5 4-6 5-7"  # COCO's skeleton
    )
    expected = {tuple(sorted(int(end) - 1 for end in edge.split("-"))) for edge in one_based.split()}
    assert len(COCO.graph) == 19 and edges == expected


def test_the_graph_of_other_skeletons_joins_children_and_parents() -> None:
    edges = {frozenset(edge) for edge in MPII.graph}
    assert edges == {frozenset((joint, MPII.parent(joint))) for joint in range(16) if joint != MPII.root}


def test_a_joint_is_the_first_of_its_neighbourhood() -> None:
    assert gpcnn.neighbourhoods(4, CHAIN.graph) == tuple((joint, *NEIGHBOURS[joint]) for joint in range(4))


# Guided points

CELLS = (24, 32)
RADIUS = 4.0


def sampled(
    joint: tuple[float, float], counts: tuple[int, int, int], seed: int = 0, maps: Tensor | None = None
) -> Tensor:
    """(N, 2) of one person with one joint."""
    if maps is None:
        maps = random(1, 1, *CELLS, seed=9)
    uniform = random(1, 1, sum(counts), 3, seed=seed)
    return sample(torch.tensor([[joint]], dtype=torch.float64), RADIUS, maps, uniform, counts)[0, 0]


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    assert counts.sum() == pytest.approx(expected.sum())
    return float(((counts - expected) ** 2 / expected).sum())


@pytest.mark.parametrize(
    ("kinds", "count", "expected"),
    [
        ("1:1:1", 48, (16, 16, 16)),
        ("1:2:0", 48, (16, 32, 0)),
        ("2:1:0", 192, (128, 64, 0)),
        ("1:1:0", 7, (3, 4, 0)),
        ("1:0:0", 5, (5, 0, 0)),
    ],
)
def test_points_are_shared_out_in_the_proportion_of_the_kinds(kinds: str, count: int, expected: Any) -> None:
    assert shares(gpcnn.proportion(kinds), count) == expected


@pytest.mark.parametrize("count", range(1, 40))
def test_the_shares_of_the_kinds_sum_to_n(count: int) -> None:
    found = shares((1, 1, 1), count)
    assert sum(found) == count and max(found) - min(found) <= 1


@pytest.mark.parametrize("joint", [(15.3, 11.8), (0.4, 22.1), (31.0, 0.0)])
def test_near_points_are_within_the_radius(joint: tuple[float, float]) -> None:
    points = sampled(joint, (5000, 0, 0))
    assert (points - torch.tensor(joint)).norm(dim=-1).max() <= RADIUS


def test_near_points_fill_the_disc_evenly() -> None:
    away = (sampled((15.3, 11.8), (20000, 0, 0)) - torch.tensor([15.3, 11.8], dtype=torch.float64)).numpy()
    rings = np.floor((away**2).sum(1) / RADIUS**2 * 10).astype(int)  # of one area each
    sectors = np.floor((np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi) % 1) * 10).astype(int)
    counts = np.bincount(rings * 10 + sectors, minlength=100)
    assert chi_square(counts, np.full(100, 200.0)) < 148.2  # quantile .999 of 99 degrees of freedom


def test_near_points_outside_of_the_map_are_moved_onto_its_border() -> None:
    points = sampled((0.0, 23.0), (2000, 0, 0))
    x, y = points.unbind(-1)
    assert x.min() == 0 and y.max() == 23
    assert ((x == 0) & (y < 23)).sum() > 300


@pytest.mark.parametrize("joint", [(15.3, 11.8), (0.4, 22.1), (-2.0, 30.0), (-1e6, -1e6)])
def test_far_points_are_on_the_map_and_not_within_the_radius(joint: tuple[float, float]) -> None:
    points = sampled(joint, (0, 5000, 0))
    assert (points - torch.tensor(joint)).norm(dim=-1).min() >= RADIUS
    assert (points >= 0).all() and (points <= torch.tensor([31.0, 23.0])).all()


def untouched(joint: tuple[float, float]) -> list[tuple[int, int]]:
    """Squares (column, row) between four cells of which no point is within the radius."""
    squares = []
    for row in range(CELLS[0] - 1):
        for column in range(CELLS[1] - 1):
            x, y = (min(max(place, first), first + 1) for place, first in zip(joint, (column, row), strict=True))
            if math.dist((x, y), joint) >= RADIUS:
                squares.append((column, row))
    return squares


@pytest.mark.parametrize("joint", [(15.3, 11.8), (0.4, 22.1)])
def test_far_points_fill_every_square_that_the_disc_does_not_touch_evenly(joint: tuple[float, float]) -> None:
    squares = untouched(joint)
    points = sampled(joint, (0, 40000, 0)).numpy()
    columns, rows = np.floor(points).astype(int).T
    counts = np.zeros((CELLS[1] - 1, CELLS[0] - 1))
    np.add.at(counts, (columns, rows), 1)
    counted = np.array([counts[square] for square in squares])
    freedom = len(squares) - 1
    assert chi_square(counted, np.full(len(squares), 40000 / len(squares))) < freedom + 3.5 * math.sqrt(2 * freedom)


def test_far_points_are_anywhere_within_their_square() -> None:
    parts = np.floor(sampled((15.3, 11.8), (0, 20000, 0)).numpy() % 1 * 10).astype(int)
    counts = np.bincount(parts[:, 0] * 10 + parts[:, 1], minlength=100)
    assert chi_square(counts, np.full(100, 200.0)) < 148.2


def test_where_the_disc_touches_every_square_far_points_are_anywhere_on_the_map() -> None:
    points = sample(torch.tensor([[[1.5, 1.5]]]), RADIUS, torch.zeros(1, 1, 4, 4), random(1, 1, 900, 3), (0, 900, 0))
    counts = np.bincount((points[0, 0].floor() @ torch.tensor([3.0, 1.0])).int().numpy(), minlength=9)
    assert chi_square(counts, np.full(9, 100.0)) < 26.1  # quantile .999 of 8 degrees of freedom


def test_high_points_are_evenly_among_the_n_cells_of_highest_response() -> None:
    maps, count = random(200, 1, *CELLS, seed=4), 48
    uniform = random(200, 1, count, 3, seed=5)
    points = sample(torch.zeros(200, 1, 2), RADIUS, maps, uniform, (0, 0, count))[:, 0]
    hits = np.zeros(count)
    for person, own in zip(maps[:, 0].numpy(), points.int().numpy(), strict=True):
        rank = {divmod(int(cell), CELLS[1]): place for place, cell in enumerate(np.argsort(-person.ravel()))}
        for x, y in own:
            hits[rank[int(y), int(x)]] += 1  # an index error if it is beyond the first N
    assert chi_square(hits, np.full(count, 200.0)) < 82.7  # quantile .999 of 47 degrees of freedom


def test_n_of_the_highest_responses_is_that_of_all_kinds_together() -> None:
    maps = torch.arange(24.0 * 32).view(1, 1, *CELLS)
    points = sampled((3.0, 3.0), (200, 0, 100), maps=maps)[200:]
    rank = 24 * 32 - 1 - (points @ torch.tensor([1.0, 32.0], dtype=torch.float64))
    assert 200 < rank.max() < 300


def test_of_equal_responses_those_of_the_first_cells_are_the_highest() -> None:
    points = sampled((3.0, 3.0), (0, 0, 20), maps=torch.zeros(1, 1, *CELLS))
    assert points[:, 1].max() == 0 and points[:, 0].max() < 20


@pytest.mark.parametrize("counts", [(8, 0, 0), (0, 8, 0), (0, 0, 8)], ids=["near", "far", "high"])
def test_a_number_that_was_rounded_to_1_still_gives_a_point_of_its_kind(counts: tuple[int, int, int]) -> None:
    maps = torch.zeros(1, 1, 4, 2)  # every one of its 8 cells is among the highest
    points = sample(torch.full((1, 1, 2), -1e6), RADIUS, maps, torch.ones(1, 1, 8, 3), counts)
    assert (points >= 0).all() and (points <= torch.tensor([1.0, 3.0])).all()


def kinds_of_graphs(variant: str) -> set[frozenset[int]]:
    """Of each graph n, the kinds of its points, told by which third of a joint's sampled points they are among."""
    network = tiny(variant, points=0.25)
    given = guided(network)
    maps = network(given["images"])["heatmaps"]
    count = given["uniform"].shape[2]
    plain = sample(given["joints"], given["positive"], maps, given["uniform"], shares((1, 1, 1), count))
    found = network(**given)["points"][..., :2]
    graphs = set()
    for n in range(count):
        places = [(plain[0, joint] - found[0, joint, n]).norm(dim=-1).argmin().item() for joint in range(4)]
        graphs.add(frozenset(int(place) * 3 // count for place in places))
    return graphs


def test_shuffling_mixes_the_kinds_of_points_within_a_graph() -> None:
    assert any(len(kinds) > 1 for kinds in kinds_of_graphs("gpr"))


def test_without_shuffling_all_points_of_a_graph_are_of_one_kind() -> None:
    assert kinds_of_graphs("gpr-vc") == {frozenset({0}), frozenset({1}), frozenset({2})}


def test_shuffling_keeps_every_point_of_a_joint() -> None:
    points = random(2, 3, 10, 2)
    found = shuffled(points, random(2, 3, 10, seed=1))
    assert not torch.equal(found, points)
    assert torch.equal(found.sort(2).values, points.sort(2).values)


# Features and heat of a point


def test_interpolation_is_bilinear_between_four_cells() -> None:
    grid, points = random(2, 3, 5, 7), random(2, 20, 2, seed=1) * torch.tensor([6.0, 4.0])
    found = interpolated(grid, points)
    for b in range(2):
        for m in range(20):
            x, y = points[b, m].tolist()
            column, row = int(x), int(y)
            right, down = x - column, y - row
            expected = (
                grid[b, :, row, column] * (1 - right) * (1 - down)
                + grid[b, :, row, column + 1] * right * (1 - down)
                + grid[b, :, row + 1, column] * (1 - right) * down
                + grid[b, :, row + 1, column + 1] * right * down
            )
            torch.testing.assert_close(found[b, m], expected)


def test_on_a_cell_the_interpolation_is_that_cell_to_the_last_row_and_column() -> None:
    grid = random(1, 2, 5, 7)
    corners = torch.tensor([[[0, 0], [6, 0], [0, 4], [6, 4]]], dtype=torch.float64)
    expected = torch.stack([grid[0, :, y, x] for x, y in corners[0].long().tolist()])
    assert torch.equal(interpolated(grid, corners)[0], expected)


def test_outside_of_the_grid_the_interpolation_is_that_of_the_border() -> None:
    grid = random(1, 2, 5, 7)
    found = interpolated(grid, torch.tensor([[[-3.0, 2.0], [9.0, 7.0]]], dtype=torch.float64))
    assert torch.equal(found[0], torch.stack([grid[0, :, 2, 0], grid[0, :, 4, 6]]))


def test_heat_is_that_of_a_joint_s_own_map() -> None:
    maps = torch.arange(6.0).view(2, 3, 1, 1).expand(2, 3, 4, 4)
    expected = torch.arange(6.0).view(2, 3, 1).expand(2, 3, 5)
    torch.testing.assert_close(heat_at(maps, 3 * random(2, 3, 5, 2).float()), expected)


# Graph pose refinement


def weight_by_table_2(variant: str, heat: float, reliable: bool) -> float:
    if variant == "struct-agnostic":
        return 0.0
    if variant == "gpr-va":
        return 1.0
    return float(reliable) if variant == "gpr-vb" else max(heat, 0.0) * float(reliable)


def convolution_by_loops(
    network: Any, variant: str, features: np.ndarray, heat: np.ndarray, reliable: np.ndarray
) -> np.ndarray:
    """Eq. 7 of every point on its own."""
    pairs = [(one, joint) for joint in range(4) for one in (joint, *NEIGHBOURS[joint])]
    if variant == "struct-agnostic":
        pairs = [(joint, joint) for joint in range(4)]
    transforms = dict(zip(pairs, network.refinement.transforms.detach().numpy(), strict=True))
    people, joints, count, channels = features.shape
    found = np.zeros(features.shape)
    for b in range(people):
        for k in range(joints):
            for n in range(count):
                total = np.zeros(channels)
                normaliser = 0.0
                for other in (k, *NEIGHBOURS[k]):
                    omega = 1.0 if other == k else weight_by_table_2(variant, heat[b, other, n], reliable[b, other, n])
                    if omega:
                        for channel in range(channels):
                            total[channel] += omega * features[b, other, n] @ transforms[other, k][:, channel]
                    normaliser += omega
                found[b, k, n] = total / normaliser
    return found


def seen(people: int = 2, count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Features, heat (some of it negative) and reliability of points."""
    features = random(people, 4, count, 5, seed=6) - 0.5
    return features, random(people, 4, count, seed=7) - 0.2, random(people, 4, count, seed=8) > 0.4


@pytest.mark.parametrize("variant", VARIANTS)
def test_refined_features_are_those_of_equation_7_in_loops(variant: str) -> None:
    network = tiny(variant).double()
    features, heat, reliable = seen()
    found = network.refinement.convolve(features, network.weights(heat, reliable))
    expected = convolution_by_loops(network, variant, features.numpy(), heat.numpy(), reliable.numpy())
    np.testing.assert_allclose(found.detach(), expected, atol=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_point_is_refined_by_the_features_at_the_points_of_its_own_graph(variant: str) -> None:
    network = tiny(variant).double().eval()
    grid, (_, heat, reliable) = random(2, 5, 6, 8, seed=5), seen()
    points = random(2, 4, 3, 2, seed=4) * torch.tensor([7.0, 5.0])
    features = torch.stack([interpolated(grid, points[:, joint]) for joint in range(4)], 1).numpy()
    refined = convolution_by_loops(network, variant, features, heat.numpy(), reliable.numpy())
    rows = network.refinement.head(torch.from_numpy(refined.reshape(-1, 5, 1, 1)))
    expected = torch.cat([network.refinement.classification(rows), network.refinement.regression(rows)], 1)
    found = network.refine(grid, points, heat, reliable)
    assert torch.equal(found[..., :2], points)
    torch.testing.assert_close(found[..., 2:].flatten(0, 2), expected[..., 0, 0])


def changed_by(variant: str, other: int, reliable: bool) -> list[bool]:
    """Of each joint, whether its refined feature is another once those of one joint have changed."""
    network = tiny(variant).double()
    features, heat, _ = seen()
    weights = network.weights(heat.abs() + 0.1, torch.full(heat.shape, reliable))
    moved = features.clone()
    moved[:, other] += 1
    before, after = (network.refinement.convolve(each, weights) for each in (features, moved))
    return [not torch.equal(before[:, joint], after[:, joint]) for joint in range(4)]


def test_the_struct_agnostic_module_ignores_the_features_of_other_joints() -> None:
    assert changed_by("struct-agnostic", other=1, reliable=True) == [False, True, False, False]


def test_the_graph_passes_messages_to_neighbours_alone() -> None:
    assert changed_by("gpr", other=0, reliable=True) == [True, True, False, False]


@pytest.mark.parametrize("variant", ["gpr", "gpr-vb", "gpr-vc"])
def test_where_no_point_is_reliable_the_graph_is_the_struct_agnostic_module(variant: str) -> None:
    network, alone = tiny(variant).double(), tiny("struct-agnostic").double()
    own = [0, 2, 5, 7]  # matrices of joints with themselves, among those of their neighbourhoods
    with torch.no_grad():
        alone.refinement.transforms.copy_(network.refinement.transforms[own])
    features, heat, _ = seen()
    nothing = torch.zeros(heat.shape, dtype=torch.bool)
    found, expected = (each.refinement.convolve(features, each.weights(heat, nothing)) for each in (network, alone))
    torch.testing.assert_close(found, expected)


def test_the_gradient_of_the_features_is_that_of_differences() -> None:
    network = tiny().double()
    _, heat, reliable = seen(count=2)
    points = random(2, 4, 2, 2, seed=4) * torch.tensor([3.0, 2.0])
    grid = random(2, 5, 3, 4, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: network.refine(given, points, heat, reliable)[..., 2:], grid)


def test_the_gradient_of_every_weight_of_the_refinement_is_that_of_differences() -> None:
    torch.manual_seed(0)
    refinement = Refinement(((0, 1), (1, 0)), 3, 4).double()
    names, values = zip(*refinement.named_parameters(), strict=True)
    features, weights = random(2, 2, 3, 3), random(2, 2, 3, seed=1)

    def refined(*given: Tensor) -> Tensor:
        return torch.func.functional_call(refinement, dict(zip(names, given, strict=True)), (features, weights))

    assert torch.autograd.gradcheck(refined, values)


def test_offsets_and_logits_start_near_0() -> None:
    network = tiny()
    assert network(**guided(network))["points"][..., 2:].abs().max() < 0.05


def test_bf16_keeps_the_places_of_points_and_gives_nearly_the_same_numbers() -> None:
    network = tiny().eval()
    for layer in (network.refinement.classification, network.refinement.regression):
        nn.init.normal_(layer.weight)
    features, points = random(2, 5, 16, 12).float(), random(2, 4, 30, 2, seed=1).float() * 11
    heat, reliable = random(2, 4, 30, seed=2).float(), random(2, 4, 30, seed=3) > 0.3
    expected = network.refine(features, points, heat, reliable)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.refine(features.bfloat16(), points, heat, reliable)
    assert torch.equal(found[..., :2], points)
    assert (found - expected).std() / expected[..., 2:].std() < 0.05


@pytest.mark.usefixtures("deterministic")
def test_two_runs_from_one_seed_give_the_same_gradients_under_deterministic_kernels() -> None:
    def gradients() -> list[Tensor]:
        network = tiny()
        found = network(**guided(network))
        (found["points"].square().mean() + found["heatmaps"].square().mean()).backward()
        return [parameter.grad for parameter in network.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients(), strict=True))


# Refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "vgg16"}, r"gpcnn: backbone 'vgg16' is not known; choose from resnet50, .*, hrnet48$"),
        ({"refinement": "gcn"}, r"gpcnn: refinement 'gcn' is not known; choose from none, .*, gpr$"),
        ({"points": 0.0}, r"gpcnn: points 0.0; give guided points per cell of a map, above 0 and at most 1$"),
        ({"points": 1.5}, r"gpcnn: points 1.5; .* at most 1$"),
        *[
            ({"kinds": kinds}, rf"gpcnn: kinds '{kinds}'; give three whole numbers, near:far:high, such as 1:1:1 ")
            for kinds in ("1:1", "1:1:1:1", "0:0:0", "1:-1:1", "a:1:1", "1:0.5:1", "")
        ],
    ],
)
def test_a_network_that_does_not_exist_is_refused_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**arguments)


def test_a_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match=r"image size 64x40: .* multiples of 32"):
        small()(torch.zeros(1, 3, 64, 40))
