"""What stands behind a pruning's figures, and what fine-tuning made of its cuts."""

import pytest

from cxr.report import cuts, pruning
from tests.report import cases


def _text(folds=1, **changes):
    return cases.Reader(pruning.pruning(cases.whole(folds, **changes))).text


def test_the_search_is_listed_best_first_with_where_its_networks_come_from():
    text = _text()
    assert (
        "The search at 50 % of the MACs Share of MACs MACs Parameters AUROC Loss Comes from Generation "
        "40 % 8 M 15 k 0.830 0.500 ★ picked: evolution 1 35 % 7 M 15 k 0.820 0.510 chance 1 "
        "30 % 6 M 15 k 0.810 0.520 Taylor 0 25 % 5 M 15 k 0.800 0.490 Uniform L1 0"
    ) in text
    assert "30 % 6 M 15 k 0.830 0.500 ★ picked: evolution 1" in text
    assert "The search of fold 0 at 30 % of the MACs" in _text(3)


@pytest.mark.parametrize(
    ("fitness", "first", "last"),
    [
        ("loss", "25 % 5 M 15 k 0.800 0.490 Uniform", "0.810 0.520 Taylor 0"),
        ("distance", "35 % 7 M 15 k 0.820 0.510 chance", "0.800 0.490 Uniform L1 0"),
    ],
)
def test_it_is_ranked_by_what_the_search_went_by(fitness, first, last):
    found = cases.pruning()
    for row, distance in zip(found.candidates, (None, 0.3, 0.1, 0.2), strict=False):
        row["distance"] = distance
    text = cases.Reader(cuts.pictures(found, [50], fitness)[0]).text
    assert f"Generation {first}" in text and text.endswith(last)


def test_networks_that_were_judged_again_stand_for_themselves():
    found = cases.pruning()
    again = {**found.candidates[1], "rung": 1, "auroc": 0.91}
    found.candidates.append(again)
    text = _text(prunings=[found])
    assert "Generation 30 % 6 M 15 k 0.910 0.520 Taylor 0 The search at 30 %" in text


def test_a_long_search_is_cut_short_and_says_so():
    found = cases.pruning()
    found.candidates.extend([found.candidates[0]] * 15)
    assert "The search at 50 % of the MACs (best 12 of 19)" in _text(prunings=[found])


def test_every_entrant_of_the_contest_is_listed():
    text = _text()
    assert "Evolved 1 9.8 M 0.830 0.900 0.400 yes Evolved 2 9.8 M 0.830 0.900 0.400 no" in text
    assert "Taylor 5.9 M 0.760 0.860 0.400 yes" in text
    text = _text(3)
    assert "on search_val, mean and range of 3 folds" in text
    assert "0.400 in 3 of 3 folds Evolved 2" in text


def test_a_training_that_left_no_number_has_a_dash():
    found = cases.pruning()
    found.contest[2]["contest_loss"] = None
    assert "Uniform L1 9.6 M 0.800 0.870 – no" in _text(prunings=[found])


def test_channels_are_listed_by_group_and_share():
    text = _text()
    assert (
        "Group Parent Handed over, 50 % Evolved, 50 % Uniform L1, 50 % Handed over, 30 % Evolved, 30 % "
        "Uniform L1, 30 % stages.0 48 16 24 32 12 20 28 stages.1 48 24 24 32 20 20 28"
    ) in text
    text = _text(3)
    assert "before and after, fold 0 as an example" in text
    assert "Handed over, 50 %, all folds Handed over, 30 %, all folds stages.0 48" in text
    assert "stages.0 48 16 24 32 12 20 28 16–32 12–28" in text


def test_one_share_needs_no_mention_and_a_cut_that_is_lacking_a_dash():
    found = cases.pruning()
    found.metrics["shares"] = [50]
    for row in found.channels:
        row["uniform_50"] = None
    assert "Group Parent Handed over Evolved Uniform L1 stages.0 48 16 24 – stages.1" in _text(
        prunings=[found]
    )


def test_folds_of_different_shape_have_no_range():
    found = cases.pruning(2)
    found.channels[-1]["parent"] = 64
    text = _text(2, prunings=[found])
    assert "stages.0 48 16 24 32 12 20 28 stages.1" in text and "all folds" not in text


def test_what_was_fine_tuned_stands_side_by_side_with_its_curves():
    text = _text(3)
    assert "fine-tuned on train for at most 8 epochs, taught by their parent too (distill" in text
    assert (
        "searched-pruned_50 Handed over 9.8 M 49 % 15 k 1 0.400 0.881 0.880 to 0.882 0.700" in text
    )
    assert "searched-uniform_50 Uniform L1 9.6 M 48 % 15 k 1 0.400 0.851" in text
    assert "searched-pruned_30 Handed over 5.9 M 30 %" in text
    assert "Fine-tuning of searched-uniform_50, one line per fold" in text
    assert "On val, mean over the folds still training" in text
    assert "0 0.600 0.500 0.851 0.700 1 0.600 0.490 0.851 0.700 2 0.600 0.480 0.850 0.700" in text


def test_without_a_fine_tuned_cut_nothing_is_said_of_it():
    assert "fine-tuned on train" not in _text(prunings=[cases.pruning(cuts=())])
    study = cases.whole()
    study.params["finish"] = {}
    text = cases.Reader(cuts.finished(study, study.prunings[0])).text
    assert text.startswith(
        "These cuts were then fine-tuned on train; val chose the epoch. Test was"
    )


@pytest.mark.parametrize("missing", ["candidates", "channels", "contest"])
def test_a_missing_table_leaves_its_figure(missing):
    found = cases.pruning(cuts=())
    getattr(found, missing).clear()
    text = _text(prunings=[found])
    assert text.count("Data of this figure") == 2


def test_a_missing_figure_leaves_the_numbers_of_fine_tuning():
    found = cases.pruning(figures=())
    for one in found.finished:
        one.figures.clear()
    page = cases.Reader(pruning.pruning(cases.whole(prunings=[found])))
    assert not page.all("img") and "searched-pruned_50 Handed over 9.8 M" in page.text
