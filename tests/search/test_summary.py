"""Means leave out what is unknown, and are unknown where nothing is known."""

from __future__ import annotations

import math

from cxr.search import summary


def test_a_mean_leaves_out_what_is_unknown():
    assert summary._mean([0.5, None, 1.0, math.nan]) == 0.75
    assert summary._mean([None, math.nan]) is None
    assert summary._mean([]) is None


def test_what_is_counted_stays_whole_over_folds():
    folds = [{"macs": 10, "auroc": 0.5}, {"macs": 13, "auroc": 0.75}, {"macs": 12, "auroc": 1.0}]
    found = {key: summary._over_folds(folds, key) for key in ("macs", "auroc")}
    assert found == {"macs": 12, "auroc": 0.75} and isinstance(found["macs"], int)
