import numpy as np
import pytest

from posetables.metrics import bootstrap, pck

KEY = (2018, 7)


def test_every_draw_holds_as_many_people_as_there_are() -> None:
    times = bootstrap.resamples(37, KEY, draws=50)
    assert (times.sum(axis=1) == 37).all() and (times >= 0).all()


def test_same_key_draws_the_same_people_and_another_key_does_not() -> None:
    times = bootstrap.resamples(37, KEY)
    assert np.array_equal(times, bootstrap.resamples(37, KEY))
    assert not np.array_equal(times, bootstrap.resamples(37, (2018, 8)))
    assert not np.array_equal(times, bootstrap.resamples(37, (2019, 7)))


def test_more_draws_keep_the_earlier_ones() -> None:
    assert np.array_equal(bootstrap.resamples(37, KEY, draws=100)[:10], bootstrap.resamples(37, KEY, draws=10))


def test_people_are_drawn_evenly() -> None:
    # 400 draws of 50 people: each is drawn 400 times, with the binomial's deviation of about 20.
    drawn = bootstrap.resamples(50, KEY, draws=400).sum(axis=0)
    assert np.abs(drawn - 400).max() < 5 * 20


def test_interval_of_a_rate_is_that_of_the_normal_approximation() -> None:
    people, rate = 1000, 0.8
    hits = (np.arange(people) < people * rate).astype(float)[:, None]
    (low,), (high,) = bootstrap.intervals(hits, [[0]], KEY)
    deviation = 100 * np.sqrt(rate * (1 - rate) / people)
    assert (low, high) == pytest.approx((80 - 1.96 * deviation, 80 + 1.96 * deviation), abs=0.2 * deviation)


def test_interval_equals_that_of_a_plain_loop_over_listed_people() -> None:
    hits = np.random.default_rng(0).choice([0.0, 1.0, np.nan], (40, 3), p=[0.3, 0.6, 0.1])
    drawn = [hits[np.repeat(np.arange(40), row.astype(int))] for row in bootstrap.resamples(40, KEY, draws=60)]
    slow = [[100 * np.nanmean(people[:, 0]), 100 * np.nanmean(people[:, 1:], axis=0).mean()] for people in drawn]
    low, high = bootstrap.intervals(hits, [[0], [1, 2]], KEY, draws=60)
    assert low == pytest.approx(np.quantile(slow, 0.025, axis=0))
    assert high == pytest.approx(np.quantile(slow, 0.975, axis=0))


def test_joints_that_fail_together_widen_the_interval_of_their_mean() -> None:
    people = np.random.default_rng(0).permuted(np.repeat([[0.0], [1.0]], 100, axis=0), axis=0)
    together = np.hstack([people, people])
    apart = np.hstack([people, 1 - people])
    widths = [np.subtract(*bootstrap.intervals(hits, [[0, 1]], KEY)[::-1]) for hits in (together, apart)]
    assert widths[0] > 5 and widths[1] == 0


def test_system_better_on_the_same_people_is_told_apart_where_separate_intervals_overlap() -> None:
    theirs = (np.arange(500) % 2).astype(float)[:, None]
    ours = theirs.copy()
    ours[:20] = 1
    times = bootstrap.resamples(500, KEY)
    low, _ = bootstrap.percentiles(pck.columns(ours, [[0]], times) - pck.columns(theirs, [[0]], times))
    assert low > 0
    assert bootstrap.intervals(ours, [[0]], KEY)[0] < bootstrap.intervals(theirs, [[0]], KEY)[1]
