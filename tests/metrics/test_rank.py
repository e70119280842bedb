"""Rank correlation: scipy's tau-b, an interval that covers, and nothing said where nothing can be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxr import seeding
from cxr.metrics import rank


def tau(x, y, *, seed=1, resamples=200):
    return rank.tau(x, y, rng=seeding.stream(seed, "tau"), resamples=resamples)


@pytest.mark.parametrize("values", [3, 10, 1000])
def test_it_is_scipys_tau_b_with_and_without_ties(values):
    for trial in range(20):
        rng = seeding.stream(3, "rank", trial)
        x, y = rng.integers(0, values, size=(2, 25))
        expected = stats.kendalltau(x, y, variant="b").statistic
        assert tau(x, y, resamples=1).value == pytest.approx(expected, abs=1e-12)


def test_a_resample_is_scipys_tau_b_of_the_things_drawn():
    rng = seeding.stream(4, "rank")
    x, y = rng.integers(0, 9, size=(2, 12))
    drawn = rng.integers(0, 12, size=12)
    weights = np.bincount(drawn, minlength=12)[None].astype(float)
    expected = stats.kendalltau(x[drawn], y[drawn], variant="b").statistic
    assert rank._Agreement(x, y)(weights)[0, 0] == pytest.approx(expected, abs=1e-12)


def test_equal_and_reversed_orders_are_the_ends():
    things = [0.3, 0.1, 0.7, 0.2, 0.9, 0.4]
    assert tau(things, np.exp(things)) == rank.Tau(value=1.0, low=1.0, high=1.0, count=6)
    assert tau(things, [-x for x in things]) == rank.Tau(value=-1.0, low=-1.0, high=-1.0, count=6)
    assert tau([1, 2, np.inf], [1, 2, 3]).value == 1.0


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for trial in range(200):
        rng = seeding.stream(9, "cover", trial)
        x = rng.normal(size=40)
        y = x + rng.normal(size=40)  # normal with correlation sqrt(1/2): tau is 2/pi asin of it
        found = tau(x, y, seed=trial)
        assert found.low <= found.value <= found.high
        covered += found.low <= 0.5 <= found.high
    assert 0.89 <= covered / 200 <= 0.98


def test_the_interval_is_keyed():
    x, y = seeding.stream(5, "keyed").normal(size=(2, 15))
    assert tau(x, y) == tau(x, y)
    assert tau(x, y) != tau(x, y, seed=2)
    assert tau(x, y).value == tau(x, y, seed=2).value


@pytest.mark.parametrize(("x", "y"), [([], []), ([1], [2]), ([1, 1, 1], [1, 2, 3]), ([1, 2], [4, 4])])  # fmt: skip
def test_where_nothing_can_be_ranked_nothing_is_said(x, y):
    assert tau(x, y) == rank.Tau(value=None, low=None, high=None, count=len(x))


def test_two_things_that_no_resample_draws_together_leave_all_open():
    rng = np.random.Generator(np.random.Philox(key=1))
    found = [rank.tau([1, 2], [1, 2], rng=rng, resamples=1) for _ in range(20)]
    assert {(t.value, t.low, t.high) for t in found} == {(1.0, 1.0, 1.0), (1.0, -1.0, 1.0)}


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(3,\)"):
        tau([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="a score is NaN"):
        tau([1, np.nan], [1, 2])
    with pytest.raises(ValueError, match="at least 1 resample, not 0"):
        tau([1, 2], [1, 2], resamples=0)
