"""The section Pruning: what was cut, against both baselines at equal MACs, channel by channel."""

import pytest

from cxr import report
from cxr.report import pruning
from tests.report import cases


def _text(**changes):
    folds = changes.pop("folds", 1)
    return cases.Reader(pruning.pruning(cases.whole(folds, **changes))).text


def test_it_says_what_was_optimised_on_which_images():
    text = _text()
    assert "searched Evolution (NSGA-II) chose how many channels each group of layers keeps" in text
    assert "the filters of lowest l1_norm go first" in text
    assert "Cap: 50 % of the parent's MACs." in text
    assert (
        "at most 8 epochs, taught by their parent too (distillation); val chose the epoch." in text
    )
    assert "Test was never seen." in text
    assert "For each fold by itself, evolution" in _text(folds=5)


def test_the_cuts_stand_beside_the_parent():
    text = _text()
    assert "Parent 20 M 100 % 31 k – – –" in text
    assert "Evolved 9.8 M 49 % 15 k 0.830 0.880 0.800" in text
    assert "Uniform 9.6 M 48 % 15 k 0.800 0.850 0.700" in text
    assert "Global L1 9.7 M 48 % – 0.810 – –" in text


def test_the_front_is_listed_best_first_with_where_its_networks_come_from():
    text = _text()
    assert "45 % 9 M 15 k 0.830 ★ picked: evolution 1 40 % 8 M 15 k 0.820 chance 1" in text
    assert "uniform cut 0" not in text


def test_channels_are_listed_by_group():
    assert "Group Parent Evolved Uniform stages.0 48 16 32 stages.1 48 24 32" in _text()
    text = _text(folds=3)
    assert "before and after, fold 0 as an example" in text
    assert "Evolved, all folds stages.0 48 16 32 16–32 stages.1 48 24 32 16–32" in text


def test_folds_of_different_shape_have_no_range():
    found = cases.pruning(2)
    found.channels[-1]["parent"] = 64
    text = _text(folds=2, prunings=[found])
    assert "stages.0 48 16 32 stages.1 48 24 32" in text and "all folds" not in text


def test_fine_tuning_is_set_side_by_side():
    text = _text(folds=3)
    assert "On val, mean over the folds still training" in text
    assert "1 0.500 0.500 0.881 0.851 2 0.490 0.490 0.881 0.851 3 0.480 0.480 0.880 0.850" in text


def test_five_folds_are_summed_up_and_listed_on_demand():
    assert "The cuts of each fold" not in _text()
    text = _text(folds=5)
    assert "The parent and its cuts, mean and range of 5 folds" in text
    assert "4 Global L1 48 % 0.810 – –" in text


def test_shares_are_of_each_folds_own_parent():
    found = cases.pruning(2)
    cut = {"macs": 10, "parameters": 5, "fitness_auroc": 0.8}
    found.metrics["folds"] = [
        {"parent": {"macs": macs, "parameters": 9}, "pruned": cut, "uniform": cut}
        for macs in (20, 40)
    ]
    text = _text(folds=2, prunings=[found])
    assert "Evolved 10 38 % 25 % to 50 %" in text
    assert "0 Evolved 50 %" in text and "1 Evolved 25 %" in text


@pytest.mark.parametrize("missing", ["candidates", "channels", "history"])
def test_a_missing_table_leaves_its_figure(missing):
    found = cases.pruning()
    getattr(found, missing).clear()
    text = _text(prunings=[found])
    assert text.count("Data of this figure") == 2


def test_hostile_names_are_text():
    hostile = "<script>alert(1)</script>"
    found = cases.pruning(name=hostile)
    for row in found.channels:
        row["group"] = hostile
    for row in found.candidates:
        row["origin"] = hostile
    study = cases.whole(prunings=[found])
    study.params["prune"] = {
        "runs": [],
        "recipes": {hostile: {**cases.PRUNE, "criterion": hostile}},
    }
    assert "<script" not in report.page(study)
