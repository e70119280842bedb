"""The section Search: what was optimised, both methods at equal cost, the picks of every fold."""

import json

import pytest

from cxr import report
from cxr.report import search
from tests.report import cases


def _text(**changes):
    folds = changes.pop("folds", 1)
    return cases.Reader(search.search(cases.whole(folds, **changes))).text


def test_it_says_what_was_optimised_on_which_images():
    text = _text()
    assert text.startswith("small Evolution (NSGA-II) looked for networks of the space staged with")
    assert "highest AUROC on search_val and the fewest MACs" in text
    assert "Val and test were never seen." in text
    assert "trained for 6 epochs on images shrunk to 40 px" in text
    assert "Caps: 1 M parameters, 40 M MACs." in text
    assert "For each fold by itself, evolution" in _text(folds=5)


def test_both_methods_stand_side_by_side_at_equal_cost():
    assert "Evolved 0.910 19 M 31 k 12 36,000 Random 0.810 19 M 31 k 12 36,000" in _text()
    assert "Evolved 0.912 0.910 to 0.914 19 M" in _text(folds=5)


def test_the_best_so_far_is_set_against_as_many_images_seen():
    text = _text()
    assert "0 4 12,000 0.830 0.730 0.214 0.149" in text
    assert "2 12 36,000 0.910 0.810 0.430 0.325" in text
    assert "mean over the folds" not in text and "so far, mean over the folds" in _text(folds=5)


def test_candidates_are_listed_best_first_and_the_pick_is_starred():
    text = _text()
    assert "Evolved: the top candidates (best 8 of 12)" in text
    network = "stem 16 → 2 × residual 24 (5×5) → 1 × inverted 48 (3×3, ×4 inside)"
    assert (
        f"Network 1 0.910 19 M 31 k 2 ★ picked: {network} 2 0.900 20 M 30 k 2 {network} 3" in text
    )
    assert "Evolved: the front Rank AUROC MACs Parameters Generation Network 1 0.910" in text


def test_five_folds_show_one_of_them_and_the_picks_of_all():
    text = _text(folds=5)
    assert text.count("the top candidates of fold 0") == 2 and "of fold 1" not in text
    picks = text[text.index("Picks of each fold") :]
    assert all(f"{fold} Evolved 0.91{fold} 19 M 31 k stem 16" in picks for fold in range(5))


def test_the_models_made_of_the_picks_are_linked():
    study = cases.whole()
    links = cases.Reader(search.search(study)).all("a")
    assert [link["href"] for link in links] == ["#model-2", "#model-3"]


def test_only_figures_that_exist_are_shown():
    assert "Data of this figure" not in _text(searches=[cases.search(figures=())])


@pytest.mark.parametrize("words", ["<b>", json.dumps({"cells": [1, 2]}), "[1]", "null", ""])
def test_an_architecture_of_another_family_stands_as_it_is(words):
    assert search.architecture(words) == words


def test_hostile_names_are_text():
    hostile = "<script>alert(1)</script>"
    found = cases.search(name=hostile)
    for row in found.candidates:
        row["architecture"] = hostile
    study = cases.whole(searches=[found])
    study.params["search"] = {"recipes": {hostile: {**cases.SEARCH, "space": {"name": hostile}}}}
    assert "<script" not in report.page(study)
