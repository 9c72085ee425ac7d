"""The codec of guided points: Eq. 8 to 10 of Graph-PCNN by hand and point by point, and where joints lie in cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from posetables.data.codecs import Truth
from posetables.data.points import PointCodec
from posetables.errors import InputError
from posetables.recipe import Points

HEIGHT = 64
PLAIN = {"target": "points", "radius": 8.0, "positive": 3, "reliable": 2, "regression": 16, "grid": "centres"}


def codec(**changes: Any) -> PointCodec:
    return PointCodec(Points.model_validate(PLAIN | changes))


def truth_of(cells: Tensor, labelled: Tensor | None = None) -> Truth:
    """Joints (B, J, 2) given in cells."""
    known = torch.ones(cells.shape[:2], dtype=torch.bool) if labelled is None else labelled
    return Truth(joints=cells * 4 + 1.5, labelled=known, visible=known, size=HEIGHT)


def many(people: int = 3, joints: int = 4, seed: int = 0) -> Truth:
    """A third of the joints unlabelled; of the last person all."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.rand(people, joints, 2, generator=generator, dtype=torch.float64) * 15
    labelled = torch.rand(people, joints, generator=generator) > 0.33
    labelled[-1] = False
    return truth_of(cells, labelled)


def refined(people: int = 3, joints: int = 4, count: int = 9, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(people, joints, count, 2, generator=generator, dtype=torch.float64) * 15
    predicted = torch.randn(people, joints, count, 4, generator=generator, dtype=torch.float64)
    return torch.cat([places, predicted], -1)


# Guides


@pytest.mark.parametrize(("grid", "pixel"), [("centres", (1.5, 13.5)), ("corners", (0.0, 12.0))])
def test_a_guide_gives_joints_in_cells_of_its_grid(grid: str, pixel: tuple[float, float]) -> None:
    known = torch.ones(1, 1, dtype=torch.bool)
    truth = Truth(joints=torch.tensor([[pixel]]), labelled=known, visible=known, size=HEIGHT)
    joints, _, _ = codec(grid=grid).guide(truth, (16, 12))
    assert joints.tolist() == [[[0.0, 3.0]]]


def test_a_guide_gives_both_radii_in_cells() -> None:
    _, positive, reliable = codec(radius=8).guide(many(), (16, 12))
    assert (positive, reliable) == (6.0, 4.0)  # 3 and 2 sigma of 8 pixels, at 4 pixels a cell


def test_a_guide_puts_unlabelled_joints_far_from_any_point() -> None:
    truth = many()
    joints, _, _ = codec().guide(truth, (16, 12))
    far = joints.norm(dim=-1) > 1e5
    assert torch.equal(far, ~truth.labelled)


def test_maps_that_are_no_quarter_of_the_input_are_refused() -> None:
    with pytest.raises(InputError, match=r"points: maps 8 high of an input 64 high; give it 4 pixels a cell"):
        codec().guide(many(), (8, 6))


# Losses


def loss_by_loops(output: np.ndarray, truth: Truth, sigma: float, weight: float) -> float:
    """Eq. 8 to 10 as they stand, sigma in cells; a mean over the people with a labelled joint."""
    targets, labelled = ((truth.joints - 1.5) / 4).numpy(), truth.labelled.numpy()
    losses = []
    for person, target, known in zip(output, targets, labelled, strict=True):
        numerator = 0.0
        for points, joint, gamma in zip(person, target, known, strict=True):
            right, wrong, offsets = [], [], []
            for x, y, other, own, dx, dy in points:
                total = math.exp(other) + math.exp(own)
                distance = math.hypot(x - joint[0], y - joint[1])
                if distance < 3 * sigma:
                    right.append(-math.exp(-(distance**2) / (2 * sigma**2)) * math.log(math.exp(own) / total))
                    offsets.append(abs(dx - (joint[0] - x)) + abs(dy - (joint[1] - y)))
                else:
                    wrong.append(-math.log(math.exp(other) / total))
            means = [sum(each) / len(each) if each else 0.0 for each in (right, wrong, offsets)]
            numerator += float(gamma) * (0.5 * (means[0] + means[1]) + weight * means[2])
        if known.any():
            losses.append(numerator / known.sum())
    return sum(losses) / len(losses)


@pytest.mark.parametrize("radius", [4.0, 8.0, 200.0], ids=["1 cell", "2 cells", "all positive"])
def test_the_loss_is_that_of_equations_8_to_10_in_loops(radius: float) -> None:
    found = codec(radius=radius, regression=16).loss(refined(), many())
    assert found.item() == pytest.approx(loss_by_loops(refined().numpy(), many(), radius / 4, 16), rel=1e-9)


def one(*points: tuple[float, ...], **changes: Any) -> float:
    """The loss of points of one joint at (5, 5), sigma 2 cells."""
    output = torch.tensor([[points]], dtype=torch.float64)
    return codec(**changes).loss(output, truth_of(torch.tensor([[[5.0, 5.0]]], dtype=torch.float64))).item()


def test_a_point_on_its_joint_that_says_nothing_costs_half_of_log_2() -> None:
    assert one((5, 5, 0, 0, 0, 0)) == pytest.approx(math.log(2) / 2)


def test_a_positive_point_counts_by_its_gaussian() -> None:
    assert one((8, 5, 0, 0, -3, 0)) == pytest.approx(math.log(2) / 2 * math.exp(-9 / 8))


def test_a_negative_point_counts_whole_and_its_offset_not_at_all() -> None:
    assert one((15, 5, 0, 0, 7, 7)) == pytest.approx(math.log(2) / 2)


def test_a_point_at_3_sigma_is_negative() -> None:
    assert one((11, 5, 50, -50, 9, 9)) == pytest.approx(0, abs=1e-12)


def test_the_first_logit_is_that_of_not_being_the_joint() -> None:
    assert one((5, 5, -50, 50, 0, 0)) == pytest.approx(0, abs=1e-12)


def test_offsets_cost_lambda_times_both_their_errors() -> None:
    assert one((4, 5, -50, 50, 0, 0.5), regression=16) == pytest.approx(16 * (1 + 0.5))


def test_sets_are_averaged_each_by_itself() -> None:
    near, far = (5.0, 5.0, 0.0, 0.0, 0.0, 0.0), (15.0, 5.0, 0.0, 0.0, 0.0, 0.0)
    assert one(near, far, far, far) == pytest.approx(math.log(2))


def test_unlabelled_joints_get_no_gradient_and_labelled_ones_do() -> None:
    output, truth = refined().requires_grad_(), many()
    codec().loss(output, truth).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert torch.equal(output.grad[..., 2:].abs().amax((2, 3)) > 0, truth.labelled)


def test_people_without_a_labelled_joint_change_no_loss() -> None:
    output, truth = refined(), many()
    kept = Truth(truth.joints[:-1], truth.labelled[:-1], truth.visible[:-1], truth.size)
    assert codec().loss(output, truth).item() == pytest.approx(codec().loss(output[:-1], kept).item(), rel=1e-12)


def test_a_batch_without_a_labelled_joint_costs_nothing() -> None:
    truth = truth_of(torch.zeros(3, 4, 2, dtype=torch.float64), torch.zeros(3, 4, dtype=torch.bool))
    assert codec().loss(refined(), truth).item() == 0


def test_the_gradient_of_the_loss_is_that_of_differences() -> None:
    places, predicted = torch.split(refined(people=2, count=4), [2, 4], -1)
    predicted, truth = predicted.clone().requires_grad_(), many(people=2)
    assert torch.autograd.gradcheck(lambda given: codec().loss(torch.cat([places, given], -1), truth), predicted)


def test_large_logits_give_a_finite_loss() -> None:
    output = refined().float()
    output[..., 2:4] *= 1e4
    assert torch.isfinite(codec().loss(output, many()))
