"""models, results, method: a mean of networks is called one, with its costs and what each does alone."""

import pytest

from cxr import report
from tests.report import cases


def text(loss="cross_entropy", together=5):
    """The page of a study whose models are means of five networks, or not."""
    models = [cases.model(name, loss=loss, folds=5) for name in ("small", "large")]
    for model in models if together else []:
        del model.result["per_fold"]
        alone = {"images": 1240, "accuracy": 0.7, "macro_f1": 0.6, "auroc": 0.85}
        members = {str(i): alone | {"auroc": 0.85 + i / 100} for i in range(together)}
        model.result.update(ensemble=together, members=members)
        if loss != "cross_entropy":
            model.result["thresholds"] = {name: [0.3] for name in cases.LABELS}
    split = {"folds": 5, "test": "held_out" if together else "in_turn"}
    exported = {"small": {"onnx_bytes": 1_234_567, "opset": 18, "folds": 5, "agrees": True}}
    return cases.Reader(
        report.page(cases.study(models, params={"study": "toy", "split": split}, exports=exported))
    ).text


def test_the_page_says_mean_of_networks_where_it_is_one_and_what_it_costs():
    said = text()
    assert (
        "judged on 1,240 test images of 600 patients, each by the mean of its 5 networks." in said
    )
    assert "mean of 5 networks, one per fold, together at most 399 k parameters" in said
    assert "File: weights of all networks. Each model is the mean of 5 networks: parameters, MACs " \
           "and file are 5 times those of the largest." in said  # fmt: skip
    assert "5 folds around one held-out test part: the other images are val in one fold" in said
    assert "pooled" not in said and "those of the largest network" not in said


def test_each_network_stands_beside_the_mean():
    said = text()
    rows = " ".join(f"network of fold {i} 0.700 0.600 0.{85 + i}0" for i in range(5))
    assert (
        f"{rows} mean of these rows 0.700 0.600 0.870 mean of the scores 0.800 0.800 0.900" in said
    )
    assert "By fold" not in said
    assert "5 files, one per fold, of at most 1.23 MB" in said
    assert "and agree; the figures here are of the mean of their scores." in said


def test_a_mean_has_one_threshold_for_each_label():
    said = text(loss="bce")
    assert "Label Found Missed False alarms Cleared" in said and "7 7 7 7" in said
    assert "from this mean score on" in said and "Label All folds normal 0.300" in said
    assert "Label Fold 0 Fold 1" not in said


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_folds_in_turn_are_no_mean(loss):
    said = text(loss=loss, together=0)
    assert "in 5 folds." in said and "scores of all folds are pooled" in said
    assert "mean of 5" not in said and "Each network by itself" not in said
    assert "PyTorch's and agree." in said
    assert (
        "Each fold has its own network: parameters, MACs and file are those of the largest." in said
    )
    assert ("Label Fold 0 Fold 1" in said) == (loss == "bce")
