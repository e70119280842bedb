"""Runs and models that params.yaml lists: who takes up what another one makes, a line for each fault."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from stages import _runs
from tests.architectures.cases import cells, stage


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Parameters with a search, a run of each kind and a pruning of each; no fault."""
    monkeypatch.chdir(tmp_path)
    usual: dict[str, Any] = {"backbone": "resnet10t", "backbone_options": {}, "weights": None, "trainable": ["all"]}  # fmt: skip
    found = {"search": "small", "pick": "evolved"}
    searched = {**usual, "backbone": "searched", "backbone_options": found}
    return {
        "models": ["plain", "found", "plain-pruned_50", "found-uniform_50"],
        "split": {"fractions": {"train": 0.9, "search_val": 0.1}},
        "search": {"runs": ["small"], "recipes": {"small": {"methods": ["evolved", "random"]}}},
        "transfer": {
            "runs": ["plain"],
            "searched": ["found"],
            "recipes": {"plain": usual, "found": searched},
        },
        "distill": {"teacher": "plain", "runs": ["found"], "recipes": {"found": {}}},
        "prune": {
            "runs": ["plain", "found"],
            "recipes": {"plain": {"shares": [0.5]}, "found": {"shares": [0.5, 0.3]}},
        },
        "finish": {"cuts": ["pruned_50", "uniform_50"], "recipes": {"plain": {}, "found": {}}},
        "export": {"models": ["found-pruned_50"]},
    }


def the_fault(tree: dict[str, Any]) -> str:
    """Return the only fault of `tree`."""
    found = list(_runs.faults(tree))
    assert len(found) == 1, found
    return found[0]


def test_a_tree_that_fits_has_no_fault(tree):
    assert list(_runs.faults(tree)) == []
    assert _runs.count(tree) == 10
    assert _runs.made(tree) == [
        *("plain", "found", "found-taught"),
        *("plain-pruned_50", "plain-uniform_50", "found-pruned_50", "found-uniform_50"),
    ]


def test_what_has_not_its_form_is_left_to_the_check_of_forms(tree):
    for place in ("search", "transfer", "distill", "prune", "finish", "export", "split", "models"):
        for wrong in (
            None,
            3,
            {"runs": 3, "recipes": 3, "models": 3, "fractions": 3, "teacher": 3},
            {},
        ):
            list(_runs.faults({**tree, place: wrong}))  # no exception
    tree["transfer"]["recipes"]["plain"] = None
    assert list(_runs.faults(tree)) == []


@pytest.mark.parametrize(
    ("section", "key"),
    [
        *(("transfer", key) for key in ("runs", "searched")),
        *((x, "runs") for x in ("search", "distill", "prune")),
    ],
)
def test_runs_are_plain_names_with_a_recipe_each_once(tree, section, key):
    tree["models"], tree["export"]["models"] = ["plain"], []
    runs, recipes = tree[section][key], tree[section]["recipes"]
    wanted = [*runs, "other"]
    tree[section][key] = wanted
    text = "\n".join(_runs.faults(tree))
    assert f"params.yaml: {section}.recipes.other is missing: known recipes are" in text
    recipes["../x"] = recipes[runs[0]]
    tree[section][key] = [*runs, "../x"]
    assert f"{section}.{key}: '../x' is not a plain name" in "\n".join(_runs.faults(tree))
    tree[section][key] = [*runs, runs[0]]
    assert f"{section}.{key} names a run twice" in the_fault(tree)


def test_a_run_stands_in_one_list(tree):
    tree["transfer"]["searched"].append("plain")
    words = "'plain' stands in transfer.runs and in transfer.searched: keep one"
    assert any(words in fault for fault in _runs.faults(tree))


def test_a_run_that_waits_for_a_search_takes_a_searched_network(tree):
    tree["transfer"]["recipes"]["found"]["backbone"] = "resnet10t"
    assert "transfer.recipes.found.backbone is 'resnet10t', though found stands in" in the_fault(
        tree
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "must be {search: <run of search>, pick: evolved | random | grid}, not {}"),
        ({"search": "small"}, "must be {search: <run of search>, pick: evolved | random | grid}, not"),
        ({"search": "small", "pick": "evolved", "width": 2}, "must be {search: <run of search>"),
        ({"search": "big", "pick": "evolved"}, "search: 'big' is not in search.runs: known are small"),
        ({"search": "small", "pick": "best"}, "pick must be evolved or random, which the search small has, not 'best'"),
        ({"search": "small", "pick": "grid"}, "pick must be evolved or random, which the search small has, not 'grid'"),
    ],
)  # fmt: skip
def test_the_search_and_the_pick_are_named(tree, options, words):
    tree["transfer"]["recipes"]["found"]["backbone_options"] = options
    assert words in the_fault(tree)


@pytest.mark.parametrize("methods", [["grid"], None])  # None: not its form, told elsewhere
def test_the_pick_is_of_a_method_that_the_search_has(tree, methods):
    tree["search"]["recipes"]["small"]["methods"] = methods
    tree["transfer"]["recipes"]["found"]["backbone_options"]["pick"] = "grid"
    assert list(_runs.faults(tree)) == []


def test_a_search_that_rests_picks_nothing(tree):
    tree["search"]["runs"] = []  # its recipe may stay
    assert "'small' is not in search.runs: known are none" in the_fault(tree)


def test_a_searched_network_must_wait_for_its_search(tree):
    tree["transfer"]["recipes"]["plain"]["backbone"] = "searched"
    assert "plain.backbone is searched: list plain in transfer.searched" in the_fault(tree)


def test_a_network_that_is_written_out_waits_for_no_search(tree):
    plain = tree["transfer"]["recipes"]["plain"]
    plain |= {"backbone": "searched", "backbone_options": cells()}
    tree["search"]["runs"], tree["transfer"]["searched"] = ["small"], ["found"]
    assert list(_runs.faults(tree)) == []
    plain["weights"] = "searched"
    assert "transfer.recipes.plain.weights: searched weights go with" in the_fault(tree)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({**cells(), "family": "cell"}, ["unknown architectures 'cell': known are cells, mobile"]),
        ({**cells(), "family": None}, ["architecture.family is missing: known are cells, mobile"]),
        ({**cells(), "stages": []}, ["architecture: stages is empty: a network needs at least one"]),
        ({**cells(stage(), stage(width="8")), "stem": 0.5}, [
            "architecture.stem must be int, not 0.5", "architecture.stages[1].width must be int, not '8'"]),
        ({**cells(), "search": "small"}, ["architecture.search is unknown: known are family"]),
    ],
)  # fmt: skip
def test_each_fault_of_a_network_that_is_written_out_is_a_line_with_its_place(tree, options, words):
    tree["transfer"]["recipes"]["plain"] |= {"backbone": "searched", "backbone_options": options}
    found = list(_runs.faults(tree))
    where = "params.yaml: transfer.recipes.plain.backbone_options: "
    assert [fault[: len(where + said)] for fault, said in zip(found, words, strict=True)] == [
        where + said for said in words
    ]


def test_a_run_that_waits_for_a_search_writes_no_network_out(tree):
    tree["transfer"]["recipes"]["found"]["backbone_options"] = cells()
    assert "found.backbone_options must be {search: <run of search>, pick: " in the_fault(tree)


def test_searched_weights_go_with_a_searched_network(tree):
    tree["transfer"]["recipes"]["plain"]["weights"] = "searched"
    assert "transfer.recipes.plain.weights: searched weights go with" in the_fault(tree)


@pytest.mark.parametrize("teacher", [None, "other", 3])
def test_the_teacher_is_a_run_of_transfer(tree, teacher):
    tree["distill"]["teacher"] = teacher
    words = f"distill.teacher: {teacher!r} is no run of transfer: known are plain, found"
    assert words in the_fault(tree)


def test_a_student_is_a_run_of_transfer_and_not_the_teacher(tree):
    tree["distill"] = {"teacher": "plain", "runs": ["other"], "recipes": {"other": {}, "plain": {}}}
    assert "distill.runs: 'other' is no run of transfer: known are plain" in the_fault(tree)
    tree["distill"]["runs"] = ["plain"]
    assert "distill.runs: 'plain' is the teacher" in the_fault(tree)
    tree["distill"] = {"teacher": None, "runs": [], "recipes": {}}
    assert list(_runs.faults(tree)) == []


@pytest.mark.parametrize("change", [{"weights": "searched"}, {"frozen_views": 2}])
def test_a_student_is_trained_anew_on_images(tree, change):
    tree["transfer"]["recipes"]["found"] |= change
    assert "distill.runs: transfer.recipes.found starts from searched weights or" in the_fault(tree)


@pytest.mark.parametrize("place", ["models", "export.models"])
def test_a_model_is_made_by_something_and_listed_once(tree, place):
    section = tree if place == "models" else tree["export"]
    section["models"] = ["plain", "plain-prunned_50"]
    assert the_fault(tree) == (
        f"params.yaml: {place}: nothing makes the model 'plain-prunned_50': known are plain, found, "
        "found-taught, plain-pruned_50, plain-uniform_50, found-pruned_50, found-uniform_50"
    )
    section["models"] = ["plain", "plain"]
    assert the_fault(tree) == f"params.yaml: {place} names a model twice: plain, plain"


@pytest.mark.parametrize(
    ("section", "key", "gone"), [("prune", "runs", "found"), ("finish", "cuts", "uniform_50")]
)
def test_what_is_no_longer_pruned_or_finished_makes_no_model(tree, section, key, gone):
    tree["export"]["models"] = ["found-uniform_50"]
    tree["models"].remove("plain-pruned_50")
    tree[section][key].remove(gone)
    found = list(_runs.faults(tree))
    assert [fault.partition(":")[2].split(":")[0] for fault in found] == [
        " models",
        " export.models",
    ]


def test_what_is_exported_in_8_bits_is_exported(tree):
    tree["export"]["int8"] = ["found-pruned_50"]
    assert list(_runs.faults(tree)) == []
    tree["export"]["int8"] = ["found-pruned_50", "plain"]
    assert the_fault(tree) == (
        "params.yaml: export.int8: export.models lacks 'plain': known are found-pruned_50"
    )
    tree["export"]["int8"] = ["found-pruned_50", "found-pruned_50"]
    assert "export.int8 names a model twice" in the_fault(tree)


def test_networks_are_ranked_on_images_that_exist(tree):
    fractions = tree["split"]["fractions"]
    fractions["search_val"] = 0.0
    assert "search_val is 0.0, but networks are ranked on these images (search.runs, prune.runs)" in (
        the_fault(tree)
    )  # fmt: skip
    tree["prune"]["runs"], tree["models"], tree["export"]["models"] = [], ["plain"], []
    assert "(search.runs): give it a share" in the_fault(tree)
    tree["transfer"]["searched"], tree["search"]["runs"], tree["distill"]["runs"] = [], [], []
    assert list(_runs.faults(tree)) == []


def test_weights_must_be_there_and_be_the_right_ones(tree):
    path = Path("data/raw/weights/net.safetensors")
    for run in ("plain", "found"):  # two runs of one file: one line
        tree["transfer"]["recipes"][run]["weights"] = {
            "file": str(path),
            "sha256": hashlib.sha256(b"right").hexdigest(),
        }
    assert f"{path} is missing: run `make data DATASET=weights" in the_fault(tree)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"wrong")
    assert f"{path} has sha256 {hashlib.sha256(b'wrong').hexdigest()}, not " in the_fault(tree)
    path.write_bytes(b"right")
    assert list(_runs.faults(tree)) == []


def test_weights_of_a_search_stand_under_its_training(tree):
    weights = {"file": "data/raw/weights/net.safetensors", "sha256": "0"}
    tree["search"]["recipes"]["small"]["training"] = {"weights": weights}
    assert "search.recipes.small.training.weights: data/raw/weights/net.safetensors is missing" in (
        the_fault(tree)
    )
    tree["search"]["recipes"]["small"]["training"] = None  # not its form, told elsewhere
    assert list(_runs.faults(tree)) == []


def test_a_recipe_may_rest_while_no_run_needs_it(tree):
    resting = {**tree["transfer"]["recipes"]["plain"], "backbone": "searched"}
    resting["weights"] = {"file": "nowhere", "sha256": "0"}
    tree["transfer"]["recipes"]["resting"] = resting
    assert list(_runs.faults(tree)) == []
