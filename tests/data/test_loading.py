"""Loading: which people a step sees is settled by seed and step, whoever loads them and wherever it starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from posetables.data.loading import Batch, steps_per_epoch, testing_batches, training_batches
from posetables.data.people import Crops, read_crops

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
        visible=np.broadcast_to(numbers[:, None] % 4 > 2, (people, 14)),
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
        for name in ("crops", "density", "joints", "labelled", "visible"):
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
        assert batch.visible[:, 0].tolist() == [number % 4 > 2 for number in numbers]


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


# What is read of stored crops

JOINTS, FLAGS = np.array([[60.0, 40.0], [50.0, 80.0], [10.0, 10.0]]), np.array([2, 1, 0], np.int8)
"""Visible, occluded, unlabelled; of a person whose square has its centre at (50, 50)."""


def stored(folder: Path, box: tuple[float, float, float, float] | None = (35, 10, 30, 80)) -> Path:
    """One person in a square 1.25 times the longer side of a box, 64 pixels of the store a side."""
    row = {"person": "a", "split": "test", "row": 0, "density": 64.0, "center_x": 50.0, "center_y": 50.0, "side": 100.0}
    table = pd.DataFrame([row])
    table["joints_pc"], table["visible_pc"] = [JOINTS.ravel()], [FLAGS]
    if box is not None:
        table["box"] = [np.array(box, float)]
    table.to_parquet(folder / "crops.parquet", index=False)
    np.save(folder / "crops.npy", np.zeros((1, 3, 130, 130), np.uint8))
    return folder


def test_an_occluded_joint_is_labelled_and_not_visible(tmp_path: Path) -> None:
    crops = read_crops(stored(tmp_path), "test", "pc", [0, 1, 2])
    assert crops.labelled.tolist() == [[True, True, False]]
    assert crops.visible.tolist() == [[True, False, False]]


def test_a_joint_that_the_data_set_does_not_have_is_neither_labelled_nor_visible(tmp_path: Path) -> None:
    crops = read_crops(stored(tmp_path), "test", "pc", [None, 0])
    assert crops.labelled.tolist() == crops.visible.tolist() == [[False, True]]


def test_without_labels_nobody_is_visible(tmp_path: Path) -> None:
    assert not read_crops(stored(tmp_path), "test", None, [0, 1, 2]).visible.any()


def test_a_square_keeps_joints_and_side_as_they_are(tmp_path: Path) -> None:
    crops = read_crops(stored(tmp_path), "test", "pc", [0, 1, 2])
    assert (crops.side.tolist(), crops.density.tolist()) == ([100], [64])
    np.testing.assert_allclose(crops.joints[0], (JOINTS - 50) / 100, atol=1e-6)


# Of a high person the square is as high as a narrower box; around a wide one, 80 x 30, that box is 80 / .75 high.
@pytest.mark.parametrize(("box", "stretch"), [((35, 10, 30, 80), 1.0), ((10, 35, 80, 30), 4 / 3)])
def test_a_box_of_another_shape_holds_what_was_framed(
    tmp_path: Path, box: tuple[float, float, float, float], stretch: float
) -> None:
    crops = read_crops(stored(tmp_path, box), "test", "pc", [0, 1, 2], aspect=0.75)
    assert crops.side.tolist() == pytest.approx([100 * stretch])
    assert crops.density.tolist() == pytest.approx([64 * stretch])
    np.testing.assert_allclose(crops.joints[0], (JOINTS - 50) / (100 * stretch), atol=1e-6)


def test_people_whom_nobody_framed_keep_their_height(tmp_path: Path) -> None:
    crops = read_crops(stored(tmp_path, None), "test", "pc", [0, 1, 2], aspect=0.75)
    assert (crops.side.tolist(), crops.density.tolist()) == ([100], [64])
