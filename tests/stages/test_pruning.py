"""What params.yaml says of prune and finish: a line for each run, cut or file that does not fit."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from stages import _pruning


@pytest.fixture
def tree() -> dict[str, Any]:
    """Parameters with two pruned runs and their cuts; no fault."""
    shares = {"plain": [0.5], "found": [0.5, 0.3]}
    return {
        "transfer": {
            "runs": ["plain"],
            "searched": ["found"],
            "recipes": {"plain": {"trainable": ["all"]}, "found": {"trainable": ["all"]}},
        },
        "prune": {
            "runs": ["plain", "found"],
            "recipes": {run: {"shares": own, "latency": None} for run, own in shares.items()},
        },
        "finish": {"cuts": ["pruned_50", "bn_scale_50"], "recipes": {"plain": {}, "found": {}}},
    }


def the_fault(tree: dict[str, Any]) -> str:
    """Return the only fault of `tree`."""
    found = list(_pruning.faults(tree))
    assert len(found) == 1, found
    return found[0]


def test_a_tree_that_fits_has_no_fault(tree):
    assert list(_pruning.faults(tree)) == []


def test_what_has_not_its_form_is_left_to_the_check_of_forms(tree):
    for place in ("transfer", "prune", "finish"):
        for wrong in (None, 3, {"runs": 3, "recipes": 3, "cuts": 3}, {}):
            list(_pruning.faults({**tree, place: wrong}))  # no exception
    for recipe in (
        {"criterion": 3},
        {"shares": 3},
        {"shares": ["a"]},
        {"latency": {"file": "x"}},
        3,
    ):
        tree["prune"]["recipes"]["plain"] = recipe
        assert list(_pruning.faults(tree)) == []


def test_what_is_pruned_is_a_run_of_transfer(tree):
    tree["prune"]["runs"].append("other")
    tree["prune"]["recipes"]["other"] = {}
    tree["finish"]["recipes"]["other"] = {}
    assert "prune.runs: 'other' is no run of transfer: known are plain, found" in the_fault(tree)


def test_a_frozen_parent_is_not_pruned(tree):
    tree["transfer"]["recipes"]["plain"]["trainable"] = ["head"]
    assert "transfer.recipes.plain.trainable is ['head']: only a network that was" in the_fault(
        tree
    )


def test_an_unknown_criterion_lists_the_known(tree, monkeypatch):
    monkeypatch.setattr(_pruning.plugins, "names", lambda folder: [f"one of {folder}"])
    tree["prune"]["recipes"]["plain"]["criterion"] = "l3_norm"
    words = "prune.recipes.plain.criterion: unknown pruning/criteria 'l3_norm': known are one of"
    assert words in the_fault(tree)


def test_a_cut_is_named_by_a_known_method(tree):
    tree["finish"]["cuts"].append("l1_50")
    words = (
        "params.yaml: finish.cuts: 'l1_50' is no cut: write <method>_<percent of the parent's MACs"
    )
    assert the_fault(tree).startswith(words)


def test_a_cut_is_at_a_share_that_every_pruned_run_has(tree):
    tree["finish"]["cuts"].append("pruned_30")
    assert the_fault(tree) == (
        "params.yaml: finish.cuts: 'pruned_30' keeps 30 % of the MACs, prune.recipes.plain.shares "
        "has 0.5: add the share there, or take the cut out"
    )
    tree["prune"]["recipes"]["plain"]["shares"] = [0.5, 0.29, 0.3]
    assert list(_pruning.faults(tree)) == []


def test_a_cut_stands_there_once(tree):
    tree["finish"]["cuts"].append("pruned_50")
    words = "finish.cuts names a cut twice: pruned_50, bn_scale_50, pruned_50"
    assert words in the_fault(tree)


def test_what_is_finished_has_a_recipe(tree):
    del tree["finish"]["recipes"]["found"]
    assert the_fault(tree) == (
        "params.yaml: finish.recipes.found is missing, though prune.runs lists found and "
        "finish.cuts names cuts: known recipes are plain"
    )
    tree["finish"]["cuts"] = []
    assert list(_pruning.faults(tree)) == []


def test_a_table_of_latencies_must_be_there_and_be_the_right_one(tree, tmp_path):
    path = tmp_path / "table.json"
    sha256 = hashlib.sha256(b"right").hexdigest()
    tree["prune"]["recipes"]["found"]["latency"] = {"file": str(path), "sha256": sha256}
    where = f"params.yaml: prune.recipes.found.latency: {path}"
    assert the_fault(tree).startswith(f"{where} is missing: measure this machine again")
    path.write_bytes(b"wrong")
    wrong = hashlib.sha256(b"wrong").hexdigest()
    assert the_fault(tree).startswith(f"{where} has sha256 {wrong}, not {sha256}: take the one")
    path.write_bytes(b"right")
    assert list(_pruning.faults(tree)) == []
