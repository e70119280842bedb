"""How cheap looks rank the networks of the top rung, by hand: same order 1, reversed -1, nothing None."""

from __future__ import annotations

import pytest

from cxr.search import correlations
from tests.search.test_candidates import table


@pytest.fixture
def found(monkeypatch):
    """Two made-up proxies: one knows the AUROC at the top rung, one knows nothing; n4 has no word."""
    monkeypatch.setattr(correlations, "names", lambda: ["knows", "mute"])
    auroc = {"n0": 0.9, "n1": 0.8, "n2": 0.9, "n3": 0.9, "n4": 0.7}
    proxies = {
        (0, name): {"knows": None if name == "n4" else -value, "mute": 1.0}
        for name, value in auroc.items()
    }
    return correlations.table(table(), proxies, score="auroc", seed=1)


def test_networks_of_the_top_rung_are_each_named_once():
    names = ["n0", "n1", "n2", "n3", "n4"]
    assert correlations.networks(table()) == [(0, name) for name in names]


def test_a_row_for_each_measure(found):
    assert list(found.columns) == correlations.COLUMNS
    assert list(found["measure"]) == ["rung_0", "knows", "mute"]
    # tau-b: ties among n0, n2, n3 are ties in both
    assert found["tau"].tolist()[:2] == [1.0, -1.0]
    assert found["networks"].tolist() == [5, 4, 5]
    assert found["tau"].isna().tolist() == [False, False, True]
    assert (found["low"][:2] <= found["tau"][:2]).all()


def test_the_summary_is_the_mean_of_the_folds_that_know(found):
    other = found.assign(fold=1, tau=[0.5, None, None], low=None, high=None)
    summary = correlations.summarise(correlations.pd.concat([found, other]))
    assert summary["rung_0"]["tau"] == 0.75 and summary["rung_0"]["networks"] == 5
    assert summary["knows"]["tau"] == -1.0
    assert summary["mute"] == {"tau": None, "low": None, "high": None, "networks": 5}
    assert all(isinstance(means["networks"], int) for means in summary.values())


def test_the_known_proxies_are_the_folders():
    assert {"macs", "naswot", "parameters"} <= set(correlations.names())
