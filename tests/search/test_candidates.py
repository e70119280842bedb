"""What a search tried, as a table: fronts, picks, sums and curves by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.evolution.genes import Evaluated
from cxr.search import candidates


def case():
    """Two methods in one fold; genome (i,) is the network n<i>; random tries n1 too."""
    found = {0: (0.9, 500), 1: (0.8, 300), 2: (0.9, 400), 3: (0.9, 400), 4: (0.7, 350)}
    results = {
        (0, f"n{i}"): {"auroc": auroc, "macs": macs, "loss": 0.5, "parameters": 10 * i, "samples": 32}
        for i, (auroc, macs) in found.items()
    }  # fmt: skip

    def search(*genes):
        return [
            Evaluated(place // 2, (i,), candidates.objectives(results[0, f"n{i}"]))
            for place, i in enumerate(genes)
        ]

    tried = {(0, "evolved"): search(0, 1, 3, 2), (0, "random"): search(4, 1)}
    return candidates.table(tried, results, lambda genome: f"n{genome[0]}"), results


def test_a_row_per_network_in_order_with_its_front_and_pick():
    table, _ = case()
    assert list(table.columns) == candidates.COLUMNS
    assert list(table["architecture"]) == ["n0", "n1", "n3", "n2", "n4", "n1"]
    assert list(table["generation"]) == [0, 0, 1, 1, 0, 0]
    assert list(table["front"]) == [0, 1, 1, 1, 0, 1]  # equal points do not beat each other
    assert list(table["picked"]) == [0, 0, 0, 1, 0, 1]


def test_the_pick_has_the_highest_auroc_then_fewer_macs_then_the_first_name():
    table, _ = case()
    assert candidates.picks(table) == {(0, "evolved"): "n2", (0, "random"): "n1"}


def test_metrics_count_what_each_method_was_shown():
    table, results = case()
    found = candidates.summarise(table, results)
    assert found["folds"] == [
        {
            "evolved": {"auroc": 0.9, "macs": 400, "parameters": 20, "networks": 4, "samples": 128},
            "random": {"auroc": 0.8, "macs": 300, "parameters": 10, "networks": 2, "samples": 64},
        }
    ]
    assert (found["networks"], found["samples"]) == (4, 128)
    assert (found["evolved_auroc"], found["random_macs"]) == (0.9, 300.0)


def test_curves_never_fall_and_match_the_area_by_hand():
    table, _ = case()
    rows = table[table["method"] == "evolved"]
    assert candidates.best_so_far(rows).tolist() == [0.9, 0.9, 0.9, 0.9]
    # the cap is 1000 MACs: n0 covers 0.4 x 0.5 of 0.5 x 1, n1 adds 0.3 x 0.2, n3 adds 0.1 x 0.1
    covered = candidates.covered_so_far(rows, max_macs=1000)
    assert covered == pytest.approx([0.4, 0.52, 0.54, 0.54])
    assert (np.diff(covered) >= 0).all()
