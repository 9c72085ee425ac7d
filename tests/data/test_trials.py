"""Conditional testing: who is looked for again, where, and what becomes of several passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posetables.data.augment import PIXELS, Sampler
from posetables.data.trials import Found, Shown, Trial, fused, missed, perturbed, trials

RANDOM = np.random.default_rng(0)


def test_boxes_are_tried_on_all_sides_and_in_other_sizes() -> None:
    assert set(trials(0.1, (0.9, 1.1))) == {
        (-0.1, 0, 1), (0.1, 0, 1), (0, -0.1, 1), (0, 0.1, 1), (0, 0, 0.9), (0, 0, 1.1),
    }  # fmt: skip


STORED = 130


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("trial", [*trials(0.1, (0.9, 1.1))])
def test_a_perturbed_person_is_read_where_the_new_box_lies(trial: Trial, axis: int) -> None:
    # Every stored pixel holds its number along the axis, so that what the network reads says from where it was read.
    ramp = torch.arange(STORED, dtype=torch.uint8).expand(2, 3, STORED, STORED)
    crops = ramp if axis == 0 else ramp.transpose(2, 3)
    density, center, side = np.array([64.0, 50.0]), np.array([[30.0, 40.0], [7.5, 8.25]]), np.array([200.0, 50.0])
    shown = perturbed(Shown(crops, torch.tensor(density, dtype=torch.float32), center, side), trial)
    images = Sampler("centred", torch.device("cpu"))(shown.crops, shown.density, torch.eye(2).expand(2, 2, 2), (16, 16))
    read = (images[:, 0].numpy() + PIXELS["centred"][0][0][0]) * 255
    for person in range(2):
        inside = (np.arange(16) + 0.5) / 16 - 0.5
        on_image = shown.center[person, axis] + inside * shown.side[person]
        stored = (on_image - center[person, axis]) / side[person] * density[person] + STORED / 2 - 0.5
        along = read[person, 8] if axis == 0 else read[person, :, 8]
        np.testing.assert_allclose(along, stored, atol=1e-2)


def test_a_box_moves_as_far_as_asked_but_for_half_a_stored_pixel() -> None:
    density, side = 64.0, 200.0
    shown = Shown(
        torch.zeros(1, 3, 9, 9, dtype=torch.uint8), torch.tensor([density]), np.zeros((1, 2)), np.array([side])
    )
    moved = perturbed(shown, Trial(0.1, -0.1, 1.0))
    assert abs(moved.center[0] - [20, -20]).max() <= side / density / 2
    assert moved.side[0] == side


def test_a_person_with_any_joint_below_its_threshold_is_not_found() -> None:
    confidence, thresholds = RANDOM.random((50, 3)).astype(np.float32), np.array([0.1, 0.3, 0.0])
    expected = [any(c < t for c, t in zip(row, thresholds, strict=True)) for row in confidence.tolist()]
    assert missed(confidence, thresholds).tolist() == expected
    assert 0 < sum(expected) < 50


def test_a_joint_that_reaches_its_threshold_is_found() -> None:
    assert missed(np.array([[0.5, 0.25]]), np.array([0.5, 0.25])).tolist() == [False]


def fused_slowly(passes: Found, least: float) -> tuple[np.ndarray, np.ndarray]:
    count, people, joints = passes.confidence.shape
    place, confidence = np.zeros((people, joints, 2)), np.zeros((people, joints))
    for person in range(people):
        taken = [t for t in range(count) if sum(passes.confidence[t, person].tolist()) / joints > least] or [0]
        for joint in range(joints):
            weights = [float(passes.confidence[t, person, joint]) for t in taken]
            for axis in range(2):
                each = [float(passes.joints[t, person, joint, axis]) for t in taken]
                place[person, joint, axis] = sum(w * p for w, p in zip(weights, each, strict=True)) / sum(weights)
            confidence[person, joint] = sum(weights) / len(taken)
    return place, confidence


@pytest.mark.parametrize("least", [0.0, 0.5, 0.6, 2.0])
def test_passes_above_the_threshold_are_fused_by_confidence_and_the_first_stands_where_none_is(least: float) -> None:
    passes = Found(100 * RANDOM.random((7, 20, 4, 2)), 0.01 + RANDOM.random((7, 20, 4)))
    found, (joints, confidence) = fused(passes, least), fused_slowly(passes, least)
    np.testing.assert_allclose(found.joints, joints)
    np.testing.assert_allclose(found.confidence, confidence)


def test_a_joint_without_any_confidence_still_has_a_place() -> None:
    passes = Found(np.array([[[[0.0, 0.0], [5.0, 5.0]]], [[[2.0, 4.0], [5.0, 5.0]]]]), np.array([[[0.0, 1.0]]] * 2))
    assert fused(passes, 0.1).joints[0, 0].tolist() == [1, 2]
