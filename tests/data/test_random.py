"""Draws are functions of their key: whatever was drawn before, or beside, changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from posetables.data.random import generator, order


def test_the_same_key_draws_the_same_whatever_was_drawn_before() -> None:
    first = generator(3, "augment", 2).random(5)
    generator(3, "augment", 2).random(1000)
    np.random.default_rng(0).random(7)
    np.testing.assert_array_equal(generator(3, "augment", 2).random(5), first)


@pytest.mark.parametrize("other", [(4, "augment", 2), (3, "dropout", 2), (3, "augment", 3)])
def test_seed_purpose_and_epoch_each_draw_for_themselves(other: tuple[int, str, int]) -> None:
    assert not np.isclose(generator(3, "augment", 2).random(100), generator(*other).random(100)).any()


def test_an_epoch_visits_everybody_once() -> None:
    assert sorted(order(0, 5, 100)) == list(range(100))


def test_two_epochs_visit_in_different_orders() -> None:
    assert (order(0, 5, 100) != order(0, 6, 100)).any()


def test_no_two_of_a_thousand_epochs_visit_in_the_same_order() -> None:
    # The key of Philox has 64 bits; as a float it would keep 53, and neighbouring epochs would be one.
    assert len({tuple(order(0, epoch, 20)) for epoch in range(1000)}) == 1000


def test_seeds_and_epochs_do_not_trade_places() -> None:
    drawn = {tuple(order(seed, epoch, 20)) for seed in range(5) for epoch in range(5)}
    assert len(drawn) == 25
