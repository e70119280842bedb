"""The t-interval: known values, its coverage, and what it refuses."""

from __future__ import annotations

import pytest
from scipy import stats

from cxr import seeding
from cxr.metrics import student


def test_the_interval_is_that_of_the_tables():
    # t(4 degrees, 97.5 %) = 2.776; sd of 1..5 is sqrt(2.5)
    found = student.mean([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.value == 3.0 and found.repeats == 5
    assert found.half == pytest.approx(2.7764 * (2.5 / 5) ** 0.5, abs=1e-4)
    assert (found.low, found.high) == (3.0 - found.half, 3.0 + found.half)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_it_agrees_with_scipy(confidence):
    values = seeding.stream(1, "student").normal(0.8, 0.02, 7).tolist()
    found = student.mean(values, confidence=confidence)
    low, high = stats.t.interval(confidence, 6, loc=sum(values) / 7, scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_it_holds_the_truth_as_often_as_it_says():
    rng = seeding.stream(2, "coverage")
    intervals = [student.mean(rng.normal(0.5, 1.0, 3).tolist()) for _ in range(2000)]
    held = sum(x.low <= 0.5 <= x.high for x in intervals)
    assert 0.935 < held / 2000 < 0.965


def test_one_value_has_no_interval_and_equal_ones_have_none_to_speak_of():
    assert student.mean([0.7]) == (0.7, None, 1)
    assert student.mean([0.7]).low is None and student.mean([0.7]).high is None
    assert student.mean([0.5, 0.5]).half == 0.0


def test_it_refuses_nothing_and_no_confidence():
    with pytest.raises(ValueError, match="at least one value"):
        student.mean([])
    with pytest.raises(ValueError, match=r"between 0 and 1, not 95"):
        student.mean([0.1, 0.2], confidence=95)
