"""Codecs: targets, losses and peaks are what a plain loop in float64 says."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from torch import Tensor

from posetables.data.codecs import MapCodec, Truth, blur, codec_of, map_codec_of, peaks, structural
from posetables.data.points import PointCodec
from posetables.errors import InputError
from posetables.recipe import Codec, Points

SIDE = 64


def codec(**changes: Any) -> MapCodec:
    plain = {"target": "disc", "radius": 10, "loss": "cross-entropy", "background": True, "activation": "sigmoid"}
    return MapCodec(Codec.model_validate(plain | changes))


def truth_of(joints: list[tuple[float, float]], labelled: list[bool] | None = None) -> Truth:
    """One person."""
    known = torch.tensor([labelled or [True] * len(joints)])
    return Truth(torch.tensor([joints], dtype=torch.float32), known, known, SIDE)


def many(people: int = 4, joints: int = 5, seed: int = 0) -> Truth:
    """Joints inside and a little outside of the input, a third of them unlabelled."""
    generator = torch.Generator().manual_seed(seed)
    xy = torch.rand(people, joints, 2, generator=generator) * (SIDE + 20) - 10
    labelled = torch.rand(people, joints, generator=generator) > 0.33
    return Truth(xy, labelled, labelled & (torch.rand(people, joints, generator=generator) > 0.33), SIDE)


def all_labelled(joints: Tensor) -> Truth:
    known = torch.ones(joints.shape[:2], dtype=torch.bool)
    return Truth(joints, known, known, SIDE)


def plain_map(joint: np.ndarray, recipe: Codec, rows: int, columns: int) -> np.ndarray:
    """The target of one joint, cell by cell."""
    stride = SIDE / rows
    target = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            # The centre of the first cell lies between the pixels that it covers, that of the first pixel at 0.
            x, y = (column + 0.5) * stride - 0.5, (row + 0.5) * stride - 0.5
            square = (x - joint[0]) ** 2 + (y - joint[1]) ** 2
            if recipe.target == "gaussian":
                target[row, column] = math.exp(-square / (2 * recipe.radius**2))
            else:
                nearest = max(abs(x - joint[0]), abs(y - joint[1])) <= stride / 2
                target[row, column] = float(square <= recipe.radius**2 or nearest)
    return target


def plain_targets(truth: Truth, recipe: Codec, rows: int, columns: int) -> np.ndarray:
    """(B, J + 1, h, w): the joints, and 1 minus the maximum over the labelled ones."""
    people = []
    for joints, labelled in zip(truth.joints.double().numpy(), truth.labelled.numpy(), strict=True):
        maps = [plain_map(joint, recipe, rows, columns) for joint in joints]
        seen = [each for each, known in zip(maps, labelled, strict=True) if known]
        people.append([*maps, 1 - np.max([np.zeros((rows, columns)), *seen], axis=0)])
    return np.array(people)


# Targets


@pytest.mark.parametrize("cells", [8, 16, 23], ids=["stride 8", "stride 4", "odd"])
@pytest.mark.parametrize(("target", "radius"), [("disc", 10), ("disc", 1.74), ("gaussian", 7)])
def test_targets_are_those_of_a_plain_loop(target: str, radius: float, cells: int) -> None:
    made = codec(target=target, radius=radius)
    found, _ = made.encode(many(), (cells, cells))
    np.testing.assert_allclose(found, plain_targets(many(), made.recipe, cells, cells), atol=1e-5)


@pytest.mark.parametrize(("target", "radius"), [("disc", 10), ("gaussian", 7)])
@pytest.mark.parametrize("columns", [12, 20], ids=["narrower", "wider"])
def test_targets_of_an_input_that_is_not_square_are_those_of_a_plain_loop(
    columns: int, target: str, radius: float
) -> None:
    made = codec(target=target, radius=radius)
    found, _ = made.encode(many(), (16, columns))
    np.testing.assert_allclose(found, plain_targets(many(), made.recipe, 16, columns), atol=1e-5)


def test_a_map_may_be_wider_than_high() -> None:
    truth = dataclasses.replace(truth_of([(40, 20)]), size=48)
    found, _ = codec(target="gaussian", radius=3).encode(truth, (12, 16))
    row, column = divmod(int(found[0, 0].argmax()), 16)
    assert (column, row) == (10, 5)  # 4 pixels a cell both ways


@pytest.mark.parametrize("x", [0, 3.49, 3.5, 3.51, 31.5, 40.2, 62.9])
def test_a_disc_smaller_than_a_cell_still_marks_the_nearest_cell(x: float) -> None:
    found, _ = codec(radius=0.1).encode(truth_of([(x, 20.0)]), (8, 8))
    nearest = np.abs((np.arange(8) + 0.5) * 8 - 0.5 - x).argmin()
    assert found[0, 0, 2, nearest] == 1
    assert found[0, 0].sum() <= 2  # two where the joint lies on the edge between them


@pytest.mark.parametrize("target", ["disc", "gaussian"])
def test_a_joint_far_outside_has_an_empty_map_and_leaves_background_everywhere(target: str) -> None:
    found, _ = codec(target=target, radius=5).encode(truth_of([(-60, 20)]), (16, 16))
    torch.testing.assert_close(found[0, 0], torch.zeros(16, 16))
    torch.testing.assert_close(found[0, 1], torch.ones(16, 16))


def test_the_background_is_1_minus_the_maximum_of_the_labelled_joints() -> None:
    truth = truth_of([(20, 20), (24, 20), (50, 50)], [True, True, False])
    found, _ = codec(target="gaussian", radius=4).encode(truth, (16, 16))
    torch.testing.assert_close(found[0, 3], 1 - found[0, :2].amax(0))


def test_without_a_background_there_are_as_many_maps_as_joints() -> None:
    found, weight = codec(background=False).encode(many(), (16, 16))
    assert found.shape == (4, 5, 16, 16) and weight.shape == (4, 5, 1, 1)


# Targets of Simple Baselines and HRNet

RELEASED = {
    "target": "gaussian", "radius": 8, "loss": "l2", "background": False, "activation": "none",
    "grid": "corners", "rounded": True, "cut": 3, "weight": 0.5,
}  # fmt: skip


def released_map(joint: np.ndarray, sigma: int, height: int, width: int) -> tuple[np.ndarray, float]:
    """One joint's target and its weight, as `generate_target` of the releases pastes a patch of the Gaussian."""
    target, reach = np.zeros((height, width)), 3 * sigma
    x, y = int(joint[0] / 4 + 0.5), int(joint[1] / 4 + 0.5)
    if x - reach >= width or y - reach >= height or x + reach + 1 < 0 or y + reach + 1 < 0:
        return target, 0.0
    for row in range(max(0, y - reach), min(height, y + reach + 1)):
        for column in range(max(0, x - reach), min(width, x + reach + 1)):
            target[row, column] = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    return target, 1.0


def around_the_input(seed: int = 0) -> list[tuple[float, float]]:
    """Joints in and around an input of 64 x 48."""
    joints = np.random.default_rng(seed).uniform(-60, 124, (400, 2))
    return [(float(x), float(y)) for x, y in joints]


def released_truth() -> Truth:
    return truth_of(around_the_input())


def test_targets_around_cells_are_those_that_the_releases_paste() -> None:
    truth, made = released_truth(), MapCodec(Codec.model_validate(RELEASED))
    target, weight = made.encode(truth, (16, 12))
    expected = [released_map(joint, 2, 16, 12) for joint in truth.joints[0].numpy()]
    np.testing.assert_allclose((target * weight)[0], [patch for patch, _ in expected], atol=1e-6)


def test_a_joint_wholly_outside_counts_for_nothing_as_in_the_releases() -> None:
    truth, made = released_truth(), MapCodec(Codec.model_validate(RELEASED))
    _, weight = made.encode(truth, (16, 12))
    expected = [released_map(joint, 2, 16, 12)[1] for joint in truth.joints[0].numpy()]
    # There a patch that ends in the cell before the first one still counts, though nothing of it is seen.
    sides = [min(int(x / 4 + 0.5), int(y / 4 + 0.5)) for x, y in truth.joints[0].tolist()]
    agreed = [
        (mine, theirs)
        for mine, theirs, side in zip(weight.flatten().tolist(), expected, sides, strict=True)
        if side != -7
    ]
    assert all(mine == theirs for mine, theirs in agreed)
    assert {theirs for _, theirs in agreed} == {0.0, 1.0}


def test_of_a_joint_outside_what_reaches_in_is_seen() -> None:
    made = MapCodec(Codec.model_validate(RELEASED))
    target, weight = made.encode(truth_of([(-18.0, 20.0)]), (16, 12))  # four cells to the left
    assert weight.item() == 1
    np.testing.assert_allclose(target[0, 0, 5, :4], [math.exp(-16 / 8), math.exp(-25 / 8), math.exp(-36 / 8), 0], 1e-6)


@pytest.mark.parametrize(("x", "column"), [(17.9, 4), (18.0, 5), (22.0, 6)])
def test_a_rounded_target_is_that_of_a_joint_on_the_nearest_cell(x: float, column: int) -> None:
    made, plain = (MapCodec(Codec.model_validate(RELEASED | {"rounded": rounded})) for rounded in (True, False))
    found, _ = made.encode(truth_of([(x, 21.0)]), (16, 12))
    expected, _ = plain.encode(truth_of([(4.0 * column, 20.0)]), (16, 12))
    torch.testing.assert_close(found, expected)


def test_a_target_may_be_rounded_to_cells_that_stand_for_their_middle() -> None:
    changes = {"target": "gaussian", "radius": 8}
    found, _ = codec(rounded=True, **changes).encode(truth_of([(20.0, 30.0)]), (16, 16))
    expected, _ = codec(**changes).encode(truth_of([(21.5, 29.5)]), (16, 16))  # the middle of cell 5, 7
    torch.testing.assert_close(found, expected)


def test_a_cell_stands_for_its_corner_pixel_where_the_grid_is_of_corners() -> None:
    made = MapCodec(Codec.model_validate(RELEASED | {"rounded": False}))
    found, _ = made.encode(truth_of([(22.0, 20.0)]), (16, 12))
    assert found[0, 0, 5, 5] == found[0, 0, 5, 6] == pytest.approx(math.exp(-(2**2) / (2 * 8**2)))


def test_a_gaussian_that_is_not_rounded_ends_at_its_sigmas() -> None:
    changes = {"target": "gaussian", "radius": 5, "loss": "l2"}
    found, _ = codec(cut=2, **changes).encode(many(), (16, 16))
    whole, _ = codec(**changes).encode(many(), (16, 16))
    centres = np.arange(16) * 4 + 1.5
    for person, joints in enumerate(many().joints.numpy()):
        for joint, (x, y) in enumerate(joints):
            seen = (np.abs(centres - x) <= 10)[None, :] & (np.abs(centres - y) <= 10)[:, None]
            np.testing.assert_array_equal(found[person, joint], np.where(seen, whole[person, joint], 0))


def test_without_a_cut_a_joint_far_outside_keeps_its_weight() -> None:
    made = MapCodec(Codec.model_validate(RELEASED | {"cut": None}))
    assert made.encode(truth_of([(-400.0, 20.0)]), (16, 12))[1].item() == 1


def test_the_loss_of_the_releases_is_half_of_the_mean_over_weighted_maps() -> None:
    """`JointsMSELoss`: of each joint half of the mean square of weighted maps, the mean over joints."""
    truth, made = released_truth(), MapCodec(Codec.model_validate(RELEASED))
    found = torch.randn(1, truth.joints.shape[1], 16, 12, generator=torch.Generator().manual_seed(0))
    target, weight = (each.double().numpy() for each in made.encode(truth, (16, 12)))
    total = 0.0
    for joint in range(found.shape[1]):
        theirs = found[0, joint].double().numpy() * weight[0, joint] - target[0, joint] * weight[0, joint]
        total += 0.5 * np.square(theirs).mean()
    assert made.loss(found, truth).item() == pytest.approx(total / found.shape[1], rel=1e-5)


# Visible joints alone (PHR sec. 3)


def partly_seen() -> Truth:
    """A visible joint, an occluded one and an unlabelled one."""
    truth = truth_of([(20, 20), (40, 40), (50, 10)], [True, True, False])
    return dataclasses.replace(truth, visible=torch.tensor([[True, False, False]]))


def test_the_map_of_an_occluded_joint_is_0_where_only_visible_ones_are_shown() -> None:
    found, _ = codec(visible_only=True, background=False).encode(partly_seen(), (16, 16))
    assert found[0, 0].any() and not found[0, 1].any()


def test_an_occluded_joint_counts_as_much_as_a_visible_one_and_an_unlabelled_one_not_at_all() -> None:
    _, weight = codec(visible_only=True, background=False).encode(partly_seen(), (16, 16))
    assert weight.flatten().tolist() == [1, 1, 0]


def test_an_occluded_joint_is_shown_like_a_visible_one_by_default() -> None:
    found, _ = codec().encode(partly_seen(), (16, 16))
    seen, _ = codec().encode(dataclasses.replace(partly_seen(), visible=partly_seen().labelled), (16, 16))
    assert torch.equal(found, seen)


def test_where_an_occluded_joint_is_not_shown_there_is_background() -> None:
    found, _ = codec(visible_only=True).encode(partly_seen(), (16, 16))
    torch.testing.assert_close(found[0, 3], 1 - found[0, 0])


# Peaks


@pytest.mark.parametrize("cells", [16, 23])
def test_the_peak_of_a_gaussian_is_the_cell_nearest_to_its_joint(cells: int) -> None:
    stride = SIDE / cells
    truth = all_labelled(torch.rand(20, 5, 2, generator=torch.Generator().manual_seed(0)) * (SIDE - 1))
    target, _ = codec(target="gaussian", radius=7, background=False).encode(truth, (cells, cells))
    found, score = peaks(target)
    assert ((found + 0.5) * stride - 0.5 - truth.joints).abs().max() <= stride / 2 + 1e-4
    assert (score > 0.9).all()


def test_the_peak_of_a_blurred_disc_is_within_a_cell_of_its_joint() -> None:
    joints = torch.rand(20, 5, 2, generator=torch.Generator().manual_seed(0)) * (SIDE - 21) + 10
    target, _ = codec(radius=10, background=False).encode(all_labelled(joints), (SIDE, SIDE))
    found, _ = peaks(blur(target, 3))
    assert (found - joints).abs().max() <= 1


def test_a_peak_is_given_as_x_and_y_with_its_value() -> None:
    maps = torch.zeros(1, 2, 4, 6)
    maps[0, 0, 1, 5] = 0.5
    maps[0, 1, 3, 0] = -1
    maps[0, 1] -= 2
    maps[0, 1, 3, 0] = 0.25
    cells, score = peaks(maps)
    assert cells.tolist() == [[[5, 1], [0, 3]]]
    assert score.tolist() == [[0.5, 0.25]]


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_blurring_is_scipys_gaussian_filter(sigma: float) -> None:
    maps = torch.rand(2, 3, 20, 25, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = gaussian_filter(maps.numpy(), (0, 0, sigma, sigma), mode="constant", truncate=4)
    np.testing.assert_allclose(blur(maps, sigma), expected, atol=1e-12)


def test_a_blur_of_0_changes_nothing() -> None:
    maps = torch.rand(1, 1, 5, 5)
    assert torch.equal(blur(maps, 0), maps)


# Losses


def logits(maps: int, seed: int = 1) -> Tensor:
    return torch.randn(4, maps, 16, 16, generator=torch.Generator().manual_seed(seed))


def explicit_loss(output: np.ndarray, truth: Truth, made: MapCodec) -> float:
    """Sum over people, labelled maps and cells, divided by the number of people, maps and cells."""
    target = plain_targets(truth, made.recipe, 16, 16)[:, : output.shape[1]]
    counted = np.concatenate([truth.labelled.numpy(), np.ones((len(output), 1), bool)], 1)[:, : output.shape[1]]
    probability = 1 / (1 + np.exp(-output))
    if made.recipe.loss == "cross-entropy":
        each = -target * np.log(probability) - (1 - target) * np.log(1 - probability)
    else:
        each = ((probability if made.recipe.activation == "sigmoid" else output) - target) ** 2
    return float((each * counted[:, :, None, None]).sum() / output.size)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"target": "gaussian", "radius": 7},
        {"loss": "l2"},
        {"target": "gaussian", "radius": 7, "loss": "l2"},
        {"target": "gaussian", "radius": 7, "loss": "l2", "activation": "none", "background": False},
    ],
    ids=["binary + CE", "Gaussian + CE", "binary + L2", "Gaussian + L2", "Gaussian + L2 of the raw maps"],
)
def test_the_loss_is_that_of_an_explicit_sum(changes: dict[str, Any]) -> None:
    made = codec(**changes)
    output = logits(5 + made.recipe.background)
    assert made.loss(output, many()).item() == pytest.approx(explicit_loss(output.double().numpy(), many(), made), 1e-5)


@pytest.mark.parametrize("loss", ["cross-entropy", "l2"])
def test_an_unlabelled_joint_gets_no_gradient_and_a_labelled_one_does(loss: str) -> None:
    output = logits(6).requires_grad_()
    codec(loss=loss).loss(output, many()).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    moved = output.grad.abs().amax((2, 3)) > 0
    assert torch.equal(moved[:, :5], many().labelled)
    assert moved[:, 5].all()


def test_where_an_unlabelled_joint_lies_changes_no_loss() -> None:
    truth = truth_of([(20, 20), (40, 40)], [True, False])
    moved = truth_of([(20, 20), (4, 4)], [True, False])
    output = logits(3)[:1]
    assert torch.equal(codec().loss(output, truth), codec().loss(output, moved))


def test_the_loss_of_half_precision_maps_is_taken_in_float32() -> None:
    output = logits(6).to(torch.bfloat16)
    assert torch.equal(codec().loss(output, many()), codec().loss(output.float(), many()))


def test_large_logits_give_a_finite_loss() -> None:
    output = torch.full((4, 6, 16, 16), 1e4)
    assert torch.isfinite(codec().loss(output, many()))


def test_activated_maps_are_probabilities_of_the_joints_without_the_background() -> None:
    output = logits(6)
    torch.testing.assert_close(codec().activate(output), 1 / (1 + torch.exp(-output[:, :5])))
    assert torch.equal(codec(activation="none", background=False).activate(output), output)


@pytest.mark.parametrize("loss", ["cross-entropy", "l2"])
def test_a_weight_multiplies_the_loss(loss: str) -> None:
    once, twice = (codec(loss=loss, weight=weight).loss(logits(6), many()) for weight in (1.0, 2.0))
    assert twice.item() == pytest.approx(2 * once.item())


# Which codec


def test_the_first_pattern_that_fits_names_the_codec() -> None:
    codecs = {"stack*": codec(radius=1).recipe, "*": codec(radius=2).recipe}
    assert map_codec_of("stack1", codecs).recipe.radius == 1
    assert map_codec_of("refined", codecs).recipe.radius == 2


POINTS = Points(target="points", radius=4, positive=3, reliable=2, regression=16)


def test_points_have_a_codec_of_their_own() -> None:
    codecs = {"points": POINTS, "heatmaps": codec().recipe}
    assert isinstance(codec_of("points", codecs), PointCodec)
    assert isinstance(codec_of("heatmaps", codecs), MapCodec)


def test_points_are_no_maps() -> None:
    with pytest.raises(InputError, match="codecs: output 'points' is maps, not points; give it target: disc or gaus"):
        map_codec_of("points", {"*": POINTS})


# Several scales and joints matched together (MSSA Eq. 1 and 2).


def matched(**changes: Any) -> MapCodec:
    return codec(
        **({"target": "gaussian", "radius": 4, "loss": "l2", "background": False, "activation": "none"} | changes)
    )


def graph_truth(structure: tuple[tuple[int, ...], ...]) -> Truth:
    made = many()
    return dataclasses.replace(made, structure=structure, encoded={})


GRAPH = ((0, 1), (1, 0, 2), (2, 1), (3,), (4, 0))


def loss_by_the_graph(found: np.ndarray, target: np.ndarray, labelled: np.ndarray, alpha: float) -> float:
    """Eq. 2 as it stands: a mean over keypoints, and alpha times a sum over the nodes S_n of the graph."""
    people, joints, height, width = found.shape
    total = 0.0
    for b in range(people):
        for y in range(height):
            for x in range(width):
                for n in range(joints):
                    if labelled[b, n]:
                        total += (found[b, n, y, x] - target[b, n, y, x]) ** 2 / joints
                    if all(labelled[b, k] for k in GRAPH[n]):
                        ours = min(1.0, sum(found[b, k, y, x] for k in GRAPH[n]))
                        theirs = min(1.0, sum(target[b, k, y, x] for k in GRAPH[n]))
                        total += alpha * (ours - theirs) ** 2
    return total / (people * height * width)


def test_the_structure_aware_loss_is_that_of_loops_over_the_graph() -> None:
    truth, made = graph_truth(GRAPH), matched(structure=0.1)
    found = torch.randn(4, 5, 6, 6, generator=torch.Generator().manual_seed(3)) * 0.6
    target = made.encode(truth, (6, 6))[0].numpy().astype(float)
    expected = loss_by_the_graph(found.numpy().astype(float), target, truth.labelled.numpy(), 0.1)
    assert float(made.loss(found, truth)) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_the_structural_term_is_that_of_differences() -> None:
    generator = torch.Generator().manual_seed(4)
    found = torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, 5, 3, 3, generator=generator, dtype=torch.float64)
    weight = torch.ones(2, 5, 1, 1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda maps: structural(maps, target, weight, GRAPH), found)


def test_a_structure_of_single_joints_adds_alpha_for_each_joint() -> None:
    truth = graph_truth(tuple((joint,) for joint in range(5)))
    found = torch.rand(4, 5, 6, 6)
    apart = float(matched().loss(found, truth))
    assert float(matched(structure=0.1).loss(found, truth)) == pytest.approx((1 + 5 * 0.1) * apart, rel=1e-5)


def test_coarser_targets_are_the_maximum_of_the_finest_over_each_cell() -> None:
    truth, made = many(), matched(finest=4)
    finest = made.encode(truth, (truth.size // 4,) * 2)[0].numpy()
    side = finest.shape[-1]
    coarse = made.encode(truth, (side // 2, side // 2))[0].numpy()
    for row in range(side // 2):
        for column in range(side // 2):
            block = finest[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(coarse[:, :, row, column], block.max((2, 3)))


def test_coarser_targets_of_an_input_that_is_not_square_are_maxima_too() -> None:
    truth, made = many(), matched(finest=4)
    finest = made.encode(truth, (16, 12))[0].numpy()
    coarse = made.encode(truth, (8, 6))[0].numpy()
    np.testing.assert_array_equal(coarse, finest.reshape(4, 5, 8, 2, 6, 2).max((3, 5)))


def test_every_cell_of_every_scale_counts_the_same() -> None:
    """Eq. 1 sums over cells: of a joint far outside, an error of 1 in one cell is the same at any scale."""
    truth, made = truth_of([(-900.0, -900.0)]), matched(finest=4)
    side = truth.size // 4
    losses = []
    for cells in (side, side // 2, side // 4):
        found = torch.zeros(1, 1, cells, cells)
        found[0, 0, 0, 0] = 1
        losses.append(float(made.loss(found, truth)))
    assert losses == pytest.approx([1 / side**2] * 3)


def test_a_structure_beside_a_background_is_refused() -> None:
    with pytest.raises(ValidationError, match="structure: .* background: false"):
        matched(structure=0.1, background=True)
