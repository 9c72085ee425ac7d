"""Loading: which people a step sees is settled by seed and step, whoever loads them and wherever it starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from posetables.data.loading import Batch, steps_per_epoch, testing_batches, training_batches
from posetables.data.people import Crops

testing_batches.__test__ = False  # type: ignore[attr-defined]


def crops(people: int, first: int) -> Crops:
    """Crops that say whose they are; they lie in the store in the opposite order."""
    numbers = np.arange(first, first + people)
    store = np.broadcast_to(numbers[::-1, None, None, None], (people, 3, 4, 4)).astype(np.uint8)
    return Crops(
        store=store,
        row=np.arange(people)[::-1],
        density=numbers.astype(np.float32),
        joints=np.broadcast_to(numbers[:, None, None], (people, 14, 2)).astype(np.float32),
        labelled=np.broadcast_to(numbers[:, None] % 2 > 0, (people, 14)),
        person=[f"people/{number}" for number in numbers],
        center=np.zeros((people, 2)),
        side=np.ones(people),
    )


PARTS = [crops(6, 0), crops(5, 6)]


def batches(steps: range, workers: int = 0, seed: int = 0, batch: int = 3) -> list[Batch]:
    return list(training_batches(PARTS, seed, batch, steps, workers=workers))


def assert_equal(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_array_equal(one.people, other.people)
        for name in ("crops", "density", "joints", "labelled"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_no_batch(workers: int) -> None:
    assert_equal(batches(range(7), workers=workers), batches(range(7)))


@pytest.mark.parametrize("start", [1, 2, 3, 4, 6])
def test_a_training_that_starts_again_sees_the_batches_it_would_have_seen(start: int) -> None:
    assert_equal(batches(range(start, 7)), batches(range(7))[start:])


def test_an_epoch_visits_nobody_twice() -> None:
    visited = np.concatenate([batch.people for batch in batches(range(3))])
    assert len(set(visited)) == len(visited) == 9


def test_epochs_visit_everybody_in_turn() -> None:
    each = steps_per_epoch(11, 3)
    epochs = [batch.epoch for batch in batches(range(3 * each))]
    assert (each, epochs) == (3, [0, 0, 0, 1, 1, 1, 2, 2, 2])
    visited = {int(number) for batch in batches(range(20 * each)) for number in batch.people}
    assert visited == set(range(11))


def test_every_part_of_a_batch_is_of_the_same_person() -> None:
    for batch in batches(range(6)):
        numbers = batch.people.tolist()
        assert batch.crops[:, 0, 0, 0].tolist() == numbers
        assert batch.density.tolist() == numbers
        assert batch.joints[:, 13, 1].tolist() == numbers
        assert batch.labelled[:, 0].tolist() == [number % 2 > 0 for number in numbers]


def test_another_seed_visits_in_another_order() -> None:
    first, second = (np.concatenate([each.people for each in batches(range(6), seed=seed)]) for seed in (0, 1))
    assert (first != second).any()


def test_fewer_people_than_a_batch_are_a_batch() -> None:
    (batch,) = batches(range(1), batch=100)
    assert sorted(batch.people) == list(range(11))


@pytest.mark.parametrize("workers", [0, 2])
def test_testing_visits_everybody_once_and_in_order(workers: int) -> None:
    found = list(testing_batches(PARTS[1], 2, workers=workers))
    assert [batch.people.tolist() for batch in found] == [[0, 1], [2, 3], [4]]
    assert [batch.crops[:, 0, 0, 0].tolist() for batch in found] == [[6, 7], [8, 9], [10]]
