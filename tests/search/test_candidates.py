"""What a search tried, as a table: a row per evaluation, fronts and picks at the top rung only."""

from __future__ import annotations

import math

import pytest

from cxr.evolution.genes import Evaluated
from cxr.search import candidates

FOUND = {0: (0.9, 500), 1: (0.8, 300), 2: (0.9, 400), 3: (0.9, 400), 4: (0.7, 350)}
"""Genome (i,) is the network n<i>: AUROC at the top rung, MACs."""


def case():
    """Two methods in one fold; the AUROC at rung 0 is .1 lower; random climbs with n1 too."""
    results = {
        (0, f"n{i}", rung): {
            "auroc": auroc - 0.1 * (1 - rung), "accuracy": 0.5, "loss": 0.5, "diverged": False, "macs": macs,
            "parameters": 10 * i, "activation_bytes": 4 * macs, "samples": 16 << rung,
        }
        for i, (auroc, macs) in FOUND.items()
        for rung in (0, 1)
    }  # fmt: skip

    def search(*places):
        return [
            Evaluated(generation, rung, (i,), candidates.objectives(results[0, f"n{i}", rung], "auroc"))
            for generation, rung, i in places
        ]  # fmt: skip

    tried = {
        (0, "evolved"): search(
            *[(0, 0, i) for i in (0, 1, 4)], (0, 1, 0), (0, 1, 1), (1, 0, 2), (1, 0, 3), (1, 1, 2), (1, 1, 3)
        ),
        (0, "random"): search((0, 0, 4), (0, 0, 1), (0, 1, 4), (0, 1, 1)),
    }  # fmt: skip
    return tried, results


def table():
    tried, results = case()
    return candidates.table(tried, results, lambda genome: f"n{genome[0]}")


def test_a_row_per_evaluation_in_order():
    found = table()
    assert list(found.columns) == candidates.COLUMNS
    names = ["n0", "n1", "n4", "n0", "n1", "n2", "n3", "n2", "n3", "n4", "n1", "n4", "n1"]
    assert list(found["architecture"]) == names
    assert list(found["rung"]) == [0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    assert list(found["generation"]) == [0] * 5 + [1] * 4 + [0] * 4
    assert list(found["samples"]) == [16 << rung for rung in found["rung"]]
    assert list(found["auroc"][:4]) == pytest.approx([0.8, 0.7, 0.6, 0.9])


def test_fronts_are_of_the_top_rung_and_equal_points_do_not_beat_each_other():
    found = table()
    assert list(found["front"]) == [0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1]
    assert not found["picked"].any()


def test_a_pick_is_marked_at_the_top_rung_of_its_own_method():
    found = candidates.mark(table(), {(0, "evolved"): "n3", (0, "random"): "n1"})
    assert found.index[found["picked"] == 1].tolist() == [8, 12]
    assert list(found.columns) == candidates.COLUMNS


def test_the_top_rung_is_what_can_be_compared():
    assert list(candidates.at_top(table())["architecture"]) == ["n0", "n1", "n2", "n3", "n4", "n1"]


def test_a_network_without_a_loss_has_an_empty_cell():
    tried, results = case()
    lost = {"auroc": 0.0, "accuracy": 0.0, "loss": None, "diverged": True}
    results = {key: {**found, **lost} for key, found in results.items()}
    found = candidates.table(tried, results, lambda genome: f"n{genome[0]}")
    assert found["loss"].isna().all() and found["loss"].dtype == float
    assert candidates.objectives({**lost, "macs": 7}, "accuracy") == (1.0, 7.0)
    assert math.isnan(found["loss"][0])
