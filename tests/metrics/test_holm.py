"""Holm: a worked example, and what is no comparison."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import holm


def test_a_worked_example() -> None:
    # Wikipedia, "Holm-Bonferroni method", section "Example": of these four at 0.05, the last and the
    # first are rejected, the other two are not
    found = holm.adjusted(np.array([0.01, 0.04, 0.03, 0.005]))
    assert (found < 0.05).tolist() == [True, False, False, True]
    np.testing.assert_allclose(found, [3 * 0.01, 2 * 0.03, 2 * 0.03, 4 * 0.005])


def test_what_is_unknown_does_not_count_and_nothing_exceeds_one() -> None:
    found = holm.adjusted(np.array([np.nan, 0.4, 0.7]))
    assert np.isnan(found[0]) and found[1:].tolist() == [0.8, 0.8]
    assert holm.adjusted(np.array([0.9, 0.9])).tolist() == [1.0, 1.0]
    assert len(holm.adjusted(np.zeros(0))) == 0


def test_false_alarms_stay_as_rare_as_promised() -> None:
    rng = seeding.stream(1, "holm")
    alarms = sum((holm.adjusted(rng.random(15)) < 0.05).any() for _ in range(2000))
    assert alarms / 2000 == pytest.approx(0.05, abs=0.02)
