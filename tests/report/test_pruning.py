"""The section Pruning: which cut is handed over at each share, against every baseline at equal MACs."""

import pytest

from cxr import report
from cxr.report import pruning
from tests.report import cases


def _text(folds=1, recipe=None, **changes):
    study = cases.whole(folds, **changes)
    study.params["prune"]["recipes"]["searched"] = {**cases.PRUNE, **(recipe or {})}
    return cases.Reader(pruning.pruning(study)).text


def test_it_says_what_was_optimised_on_which_images():
    text = _text()
    assert (
        "searched Evolution (NSGA-II) chose how many channels each group of layers keeps, for the "
        "highest AUROC on search_val; within a group the channels worth least by l1_norm go first."
    ) in text
    assert "At most 50 % or 30 % of the parent's MACs may stay, and every network" in text
    assert (
        "The best 2 evolved cuts and that of every baseline were then trained alike on 400 images of "
        "train, taught by their parent too (distillation): whoever has the highest AUROC on "
        "search_val after it, of equals the lowest loss, is handed over. Val and test were never seen."
    ) in text
    assert "For each fold by itself, evolution" in _text(folds=5)
    for words in ("below the parent counts as worse", "judged again", "latency"):
        assert words not in text


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"encoding": "mask"}, "chose which channels each group of layers keeps, for the highest AUROC on search_val."),
        ({}, "cut and judged without training, after the layers that read what went were refitted by least squares"),
        ({"reconstruct": False}, "cut and judged without training, after their BatchNorm was measured anew, on train."),
        ({"fitness": "loss"}, "for the lowest loss on search_val;"),
        ({"fitness": "distance"}, "for raw scores nearest to the parent's, on images of train;"),
        ({"latency": {"file": "t.json", "sha256": "0"}}, "AUROC on search_val and the least latency by its table;"),
        ({"survivors": {"networks": 4, "samples": 1200}}, "The best 4 of each generation were trained on 1,200 images and judged again."),
        ({"worst_label": 0.02}, "A network whose worst label falls more than 0.020 below the parent counts as worse"),
        ({"contest": {"evolved": 1, "samples": 40}}, "The best evolved cut and that of every baseline were then trained alike on 40"),
        ({"distillation": {"weight": 0.0, "temperature": 1.0}}, "on 400 images of train: whoever has"),
    ],
)  # fmt: skip
def test_what_a_recipe_asks_for_is_said(recipe, words):
    assert words in _text(recipe=recipe)


def test_who_is_handed_over_is_said_with_what_the_others_reached():
    text = _text()
    assert (
        "At 50 % of the MACs Evolved is handed over : AUROC on search_val after the short training "
        "0.900; the best baseline, Taylor: 0.880."
    ) in text
    assert (
        "At 30 % of the MACs Taylor is handed over : AUROC on search_val after the short training "
        "0.860; evolution's best: 0.840."
    ) in text


def test_folds_may_hand_over_different_cuts():
    found = cases.pruning(3)
    own = found.metrics["folds"][1]["cuts"]
    own["pruned_50"] = {**cases.tried(50, "uniform"), "origin": "uniform"}
    text = _text(3, prunings=[found])
    assert (
        "At 50 % of the MACs Evolved in 2 of 3 folds and Uniform L1 in 1 of 3 folds are handed over : "
        "AUROC on search_val after the short training 0.890; evolution's best: 0.900; the best "
        "baseline, Taylor: 0.880 (means over the folds)."
    ) in text
    assert "Handed over 9.73 M 9.6 M to 9.8 M" in text and "Handed over: Taylor 5.9 M" in text
    assert "normal 0.037 0.030 to 0.050" in text  # the label of the fold where it falls furthest


def test_a_cut_that_some_fold_lacks_is_no_rival():
    found = cases.pruning(2)
    for share in (50, 30):
        del found.metrics["folds"][1]["cuts"][f"taylor_{share}"]
    text = _text(2, prunings=[found])
    assert "the best baseline, Uniform L1: 0.870" in text
    assert "Taylor 9.7 M 48 % 14 k" in text  # of the fold that has it


def test_the_cuts_stand_beside_the_parent():
    text = _text()
    assert "The parent and its cuts at 50 % of the MACs Cut" in text
    assert "Parent 20 M 100 % 31 k 0.850 – – –" in text
    assert "Evolved 9.8 M 49 % 15 k 0.830 0.900 effusion 0.030" in text
    assert "Uniform L1 9.6 M 48 % 16 k 0.800 0.870 normal 0.050" in text
    assert "Handed over: Evolved 9.8 M 49 %" in text
    assert "Handed over: Taylor 5.9 M 30 % 8 k 0.760 0.860 – –" in text  # no label has an AUROC
    assert text.count("Parent 20 M") == 2 and "Global L1 " not in text.split("Uniform L1: every")[0]


def test_five_folds_are_summed_up_and_listed_on_demand():
    assert "The cuts of each fold" not in _text()
    text = _text(folds=5)
    assert "The parent and its cuts at 50 % of the MACs, mean and range of 5 folds" in text
    assert "4 Uniform L1 5.8 M 29 % 10 k 0.700 0.820 normal 0.080" in text
    assert "4 Handed over: Taylor 5.9 M" in text


def test_shares_are_of_each_folds_own_parent():
    found = cases.pruning(2)
    cut = {**cases.tried(50, "evolved"), "macs": 10}
    found.metrics["shares"] = [50]
    found.metrics["folds"] = [
        {"parent": {"macs": macs, "parameters": 9, "auroc": 0.8}, "cuts": {"evolved_50": cut, "pruned_50": {**cut, "origin": "evolved"}}}
        for macs in (20, 40)
    ]  # fmt: skip
    text = _text(2, prunings=[found])
    assert "Evolved 10 38 % 25 % to 50 %" in text
    assert "0 Evolved 10 50 %" in text and "1 Evolved 10 25 %" in text


def test_the_models_of_its_cuts_are_linked():
    words = "Results ( searched-pruned_50 , searched-uniform_50 , searched-pruned_30 )."
    assert words in _text()
    assert "stands under Results." in _text(models=[cases.model("resnet10t")])


def test_a_report_that_knows_no_recipe_still_shows_what_was_found():
    study = cases.whole()
    study.params["prune"] = {"runs": ["searched"]}
    text = cases.Reader(pruning.pruning(study)).text
    assert "the highest AUROC on search_val. Networks were cut" in text
    assert "Evolved is handed over" in text and "trained alike" not in text


def test_hostile_names_are_text():
    hostile = "<script>alert(1)</script>"
    found = cases.pruning(name=hostile)
    for row in found.channels:
        row["group"] = hostile
    for row in [*found.candidates, *found.contest]:
        row["origin"] = row["method"] = hostile
    for fold in found.metrics["folds"]:
        fold["cuts"]["uniform_50"]["worst_label"] = hostile
    study = cases.whole(prunings=[found])
    study.params["prune"] = {
        "runs": [],
        "recipes": {hostile: {**cases.PRUNE, "criterion": hostile}},
    }
    assert "<script" not in report.page(study)
