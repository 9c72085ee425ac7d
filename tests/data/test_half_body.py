"""Half-body augmentation: who is cut in half, which half, and what region is around it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from posetables.data import half_body
from posetables.data.skeletons.coco import SKELETON as COCO
from posetables.data.skeletons.mpii import SKELETON as MPII

ASPECT = 0.75
LOWER = half_body.lower(COCO.joints)
YES, NO = 0.0, 0.99
"""What is drawn for a person who is cut in half where the probability is .3, and for one who is not."""
UP, DOWN = 0.0, 0.99
"""What is drawn for the upper body, and for the lower."""


def everybody(people: int = 300) -> tuple[Tensor, Tensor, Tensor]:
    """Joints, labelled and drawn of people of whom all, many or few joints are labelled."""
    random = np.random.default_rng(0)
    joints = random.uniform(-0.5, 0.5, (people, 17, 2)) * random.uniform(0.2, 1, (people, 1, 2))
    labelled = random.random((people, 17)) < random.uniform(0.3, 1, (people, 1))
    return torch.from_numpy(joints), torch.from_numpy(labelled), torch.from_numpy(half_body.draw(0, 0, people))


def one(upper: int, lower: int, drawn: tuple[float, float] = (YES, UP), aspect: float = ASPECT) -> tuple[Tensor, float]:
    """Centre and size for a person with so many labelled joints of each half; upper ones lie above y = 0."""
    joints = torch.from_numpy(np.random.default_rng(0).uniform(0.1, 0.3, (1, 17, 2)))
    joints[:, : min(LOWER), 1] *= -1
    labelled = torch.zeros(1, 17, dtype=torch.bool)
    labelled[0, :upper] = True
    labelled[0, min(LOWER) : min(LOWER) + lower] = True
    centre, size = half_body.regions(joints, labelled, torch.tensor([drawn]), LOWER, 0.3, aspect)
    return centre[0], float(size[0])


# The definition, person by person


def slow(
    joints: np.ndarray, labelled: np.ndarray, drawn: np.ndarray, probability: float, aspect: float
) -> tuple[float, float, float]:
    """x, y and size; whether a number that is normal lies below .5 is asked of its share."""
    if sum(labelled) <= 8 or drawn[0] >= probability:
        return 0, 0, 1
    upper = [joints[j] for j in range(17) if labelled[j] and j not in LOWER]
    lower = [joints[j] for j in range(17) if labelled[j] and j in LOWER]
    if drawn[1] < 0.6914624612740131 and len(upper) > 2:
        chosen = upper
    elif len(lower) > 2:
        chosen = lower
    else:
        chosen = upper
    x, y = [sum(joint[axis] for joint in chosen) / len(chosen) for axis in (0, 1)]
    width, height = [max(joint[axis] for joint in chosen) - min(joint[axis] for joint in chosen) for axis in (0, 1)]
    if width > aspect * height:
        height = width / aspect
    return x, y, 1.5 * height


@pytest.mark.parametrize("aspect", [0.75, 1.0])
@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_regions_are_those_of_hrnets_rule(probability: float, aspect: float) -> None:
    joints, labelled, drawn = everybody()
    centre, size = half_body.regions(joints, labelled, drawn, LOWER, probability, aspect)
    expected = [
        slow(*person, probability, aspect)
        for person in zip(joints.numpy(), labelled.numpy(), drawn.numpy(), strict=True)
    ]
    np.testing.assert_allclose(torch.cat([centre, size[:, None]], 1), expected, atol=1e-12)
    assert 0.05 < (size != 1).float().mean() < 0.9


# Which joints


def test_the_lower_body_of_coco_is_that_of_hrnet() -> None:
    assert LOWER == (11, 12, 13, 14, 15, 16)


def test_the_lower_body_of_mpii_is_that_of_hrnet() -> None:
    assert half_body.lower(MPII.joints) == (0, 1, 2, 3, 4, 5, 6)


# Who


def test_a_person_of_whom_8_joints_are_labelled_stays_whole() -> None:
    centre, size = one(upper=5, lower=3)
    assert centre.tolist() == [0, 0] and size == 1


def test_a_person_of_whom_9_joints_are_labelled_is_cut_in_half() -> None:
    centre, _ = one(upper=5, lower=4)
    assert centre[1] < 0


def test_a_person_whose_draw_is_above_the_probability_stays_whole() -> None:
    centre, size = one(upper=11, lower=6, drawn=(NO, UP))
    assert centre.tolist() == [0, 0] and size == 1


def test_the_unlabelled_joints_of_a_person_are_not_looked_at() -> None:
    joints, labelled, drawn = everybody(20)
    junk = torch.where(labelled[..., None], joints, torch.nan)
    for clean, dirty in zip(
        half_body.regions(joints, labelled, drawn, LOWER, 1.0, ASPECT),
        half_body.regions(junk, labelled, drawn, LOWER, 1.0, ASPECT),
        strict=True,
    ):
        assert torch.equal(clean, dirty)


# Which half


def test_the_lower_body_is_taken_where_it_is_drawn() -> None:
    assert one(upper=5, lower=4, drawn=(YES, DOWN))[0][1] > 0


def test_the_lower_body_is_taken_where_the_upper_has_two_joints() -> None:
    # COCO's lower body has 6 joints, of which with two of the upper no more than 8 are labelled: here it has the arms.
    joints = torch.from_numpy(np.random.default_rng(0).uniform(-0.5, 0.5, (1, 17, 2)))
    labelled, arms = torch.ones(1, 17, dtype=torch.bool), tuple(range(2, 17))
    centre, _ = half_body.regions(joints, labelled, torch.tensor([(YES, UP)]), arms, 0.3, ASPECT)
    np.testing.assert_allclose(centre[0], joints[0, 2:].mean(0))


def test_the_upper_body_is_taken_where_the_lower_has_two_joints() -> None:
    assert one(upper=8, lower=2, drawn=(YES, DOWN))[0][1] < 0


def test_69_of_100_have_their_upper_body_taken() -> None:
    people = 20_000
    joints = torch.zeros(people, 17, 2)
    joints[:, :, 0] = torch.linspace(-0.2, 0.2, 17)
    joints[:, list(LOWER), 1] = 0.3
    joints[:, : min(LOWER), 1] = -0.3
    labelled, drawn = torch.ones(people, 17, dtype=torch.bool), torch.from_numpy(half_body.draw(0, 0, people))
    centre, _ = half_body.regions(joints, labelled, drawn, LOWER, 1.0, ASPECT)
    share = float((centre[:, 1] < 0).float().mean())
    assert abs(share - 0.6915) < 4 * np.sqrt(0.69 * 0.31 / people)


# The region


@pytest.mark.parametrize(("tall", "size"), [(True, 1.5 * 0.4), (False, 1.5 * 0.4 / ASPECT)])
def test_the_region_is_half_as_large_again_as_the_smallest_of_its_shape_around_the_joints(
    tall: bool, size: float
) -> None:
    line = torch.linspace(-0.1, 0.3, 17, dtype=torch.float64)
    joints = torch.stack([0.1 * line, line] if tall else [line, 0.1 * line], -1)[None]
    labelled, drawn = torch.ones(1, 17, dtype=torch.bool), torch.tensor([(YES, UP)])
    centre, found = half_body.regions(joints, labelled, drawn, (), 0.3, ASPECT)
    assert float(found) == pytest.approx(size)
    np.testing.assert_allclose(centre[0], joints[0].mean(0))


def test_a_half_that_is_a_point_stays_whole() -> None:
    joints, labelled = torch.full((1, 17, 2), 0.2), torch.ones(1, 17, dtype=torch.bool)
    centre, size = half_body.regions(joints, labelled, torch.tensor([(YES, UP)]), LOWER, 0.3, ASPECT)
    assert centre.tolist() == [[0, 0]] and size.tolist() == [1]


# Draws


def test_people_epochs_and_seeds_have_draws_of_their_own() -> None:
    draws = [half_body.draw(seed, epoch, 50) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert np.array_equal(draws[0][:10], half_body.draw(0, 0, 10))
    assert len({row.tobytes() for drawn in draws for row in drawn}) == 150
