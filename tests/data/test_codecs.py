"""Codecs: targets, losses and peaks are what a plain loop in float64 says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from torch import Tensor

from posetables.data.codecs import MapCodec, Truth, blur, codec_of, peaks, structural
from posetables.recipe import Codec

SIDE = 64


def codec(**changes: Any) -> MapCodec:
    plain = {"target": "disc", "radius": 10, "loss": "cross-entropy", "background": True, "activation": "sigmoid"}
    return MapCodec(Codec.model_validate(plain | changes))


def truth_of(joints: list[tuple[float, float]], labelled: list[bool] | None = None) -> Truth:
    """One person."""
    flags = labelled or [True] * len(joints)
    return Truth(torch.tensor([joints], dtype=torch.float32), torch.tensor([flags]), SIDE)


def many(people: int = 4, joints: int = 5, seed: int = 0) -> Truth:
    """Joints inside and a little outside of the input, a third of them unlabelled."""
    generator = torch.Generator().manual_seed(seed)
    xy = torch.rand(people, joints, 2, generator=generator) * (SIDE + 20) - 10
    return Truth(xy, torch.rand(people, joints, generator=generator) > 0.33, SIDE)


def plain_map(joint: np.ndarray, recipe: Codec, cells: int) -> np.ndarray:
    """The target of one joint, cell by cell."""
    stride = SIDE / cells
    target = np.zeros((cells, cells))
    for row in range(cells):
        for column in range(cells):
            # The centre of the first cell lies between the pixels that it covers, that of the first pixel at 0.
            x, y = (column + 0.5) * stride - 0.5, (row + 0.5) * stride - 0.5
            square = (x - joint[0]) ** 2 + (y - joint[1]) ** 2
            if recipe.target == "gaussian":
                target[row, column] = math.exp(-square / (2 * recipe.radius**2))
            else:
                nearest = max(abs(x - joint[0]), abs(y - joint[1])) <= stride / 2
                target[row, column] = float(square <= recipe.radius**2 or nearest)
    return target


def plain_targets(truth: Truth, recipe: Codec, cells: int) -> np.ndarray:
    """(B, J + 1, h, w): the joints, and 1 minus the maximum over the labelled ones."""
    people = []
    for joints, labelled in zip(truth.joints.double().numpy(), truth.labelled.numpy(), strict=True):
        maps = [plain_map(joint, recipe, cells) for joint in joints]
        seen = [each for each, known in zip(maps, labelled, strict=True) if known]
        people.append([*maps, 1 - np.max([np.zeros((cells, cells)), *seen], axis=0)])
    return np.array(people)


# Targets


@pytest.mark.parametrize("cells", [8, 16, 23], ids=["stride 8", "stride 4", "odd"])
@pytest.mark.parametrize(("target", "radius"), [("disc", 10), ("disc", 1.74), ("gaussian", 7)])
def test_targets_are_those_of_a_plain_loop(target: str, radius: float, cells: int) -> None:
    made = codec(target=target, radius=radius)
    found, _ = made.encode(many(), (cells, cells))
    np.testing.assert_allclose(found, plain_targets(many(), made.recipe, cells), atol=1e-5)


def test_a_map_may_be_wider_than_high() -> None:
    found, _ = codec(target="gaussian", radius=3).encode(truth_of([(40, 20)]), (12, 16))
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


# Peaks


@pytest.mark.parametrize("cells", [16, 23])
def test_the_peak_of_a_gaussian_is_the_cell_nearest_to_its_joint(cells: int) -> None:
    stride = SIDE / cells
    truth = Truth(
        torch.rand(20, 5, 2, generator=torch.Generator().manual_seed(0)) * (SIDE - 1), torch.ones(20, 5), SIDE
    )
    target, _ = codec(target="gaussian", radius=7, background=False).encode(truth, (cells, cells))
    found, score = peaks(target)
    assert ((found + 0.5) * stride - 0.5 - truth.joints).abs().max() <= stride / 2 + 1e-4
    assert (score > 0.9).all()


def test_the_peak_of_a_blurred_disc_is_within_a_cell_of_its_joint() -> None:
    joints = torch.rand(20, 5, 2, generator=torch.Generator().manual_seed(0)) * (SIDE - 21) + 10
    target, _ = codec(radius=10, background=False).encode(Truth(joints, torch.ones(20, 5), SIDE), (SIDE, SIDE))
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
    target = plain_targets(truth, made.recipe, 16)[:, : output.shape[1]]
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


# Which codec


def test_the_first_pattern_that_fits_names_the_codec() -> None:
    codecs = {"stack*": codec(radius=1).recipe, "*": codec(radius=2).recipe}
    assert codec_of("stack1", codecs).recipe.radius == 1
    assert codec_of("refined", codecs).recipe.radius == 2


# Several scales and joints matched together (MSSA Eq. 1 and 2).


def matched(**changes: Any) -> MapCodec:
    return codec(
        **({"target": "gaussian", "radius": 4, "loss": "l2", "background": False, "activation": "none"} | changes)
    )


def graph_truth(structure: tuple[tuple[int, ...], ...]) -> Truth:
    made = many()
    return Truth(joints=made.joints, labelled=made.labelled, size=made.size, structure=structure)


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
