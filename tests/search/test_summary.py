"""Means leave out what is unknown, and are unknown where nothing is known."""

from __future__ import annotations

import math

from cxr.search import summary


def test_a_mean_leaves_out_what_is_unknown():
    assert summary._mean([0.5, None, 1.0, math.nan]) == 0.75
    assert summary._mean([None, math.nan]) is None
    assert summary._mean([]) is None
