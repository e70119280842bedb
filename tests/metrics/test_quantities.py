"""Quantities: each against scikit-learn and torchmetrics, named as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as torch_reference
from sklearn import metrics as reference

from cxr.metrics.quantities import RATES, Quantities, Quantity
from cxr.metrics.scored import Scored
from tests.metrics import cases

NAMES = "abc"


def _found(
    case: Scored, names: str, points: dict[str, np.ndarray] | None = None
) -> dict[Quantity, float]:
    quantities = Quantities(case, list(names), points or {})
    values = quantities(np.ones((1, len(case.labels_NL))))[0]
    return dict(zip(quantities.named, values.tolist(), strict=True))


def _wanted(truth: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    """What scikit-learn says of decisions on one label."""
    return {
        "accuracy": reference.accuracy_score(truth, decided),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, decided),
        "f1": reference.f1_score(truth, decided),
        "precision": reference.precision_score(truth, decided),
        "sensitivity": reference.recall_score(truth, decided),
        "specificity": reference.recall_score(truth, decided, pos_label=0),
    }


@pytest.mark.parametrize("exclusive", [True, False])
def test_every_label_has_scikit_learns_figures(exclusive: bool) -> None:
    case, names = (cases.scored(), NAMES) if exclusive else (cases.combined(), "ab")
    found = _found(case, names)
    own = "highest_score" if exclusive else "best_f1"
    for i, name in enumerate(names):
        known = ~np.isnan(case.labels_NL[:, i])
        truth, scores = case.labels_NL[known, i], case.scores_NL[known, i]
        for metric, value in _wanted(truth, case.decided_NL[known, i]).items():
            assert found[Quantity(name, metric, own)] == pytest.approx(value), (name, metric)
        rank = reference.roc_auc_score(truth, scores)
        assert found[Quantity(name, "auroc", "")] == pytest.approx(rank, abs=1e-12)
        precision = reference.average_precision_score(truth, scores)
        assert found[Quantity(name, "average_precision", "")] == pytest.approx(precision, abs=1e-8)
        brier = reference.brier_score_loss(truth, scores)
        assert found[Quantity(name, "brier", "")] == pytest.approx(brier, abs=1e-8)


def test_means_are_torchmetrics_macro_averages() -> None:
    case = cases.scored()
    found = _found(case, NAMES)
    scores = torch.from_numpy(case.scores_NL), torch.from_numpy(case.labels_NL.argmax(1))
    wanted = {
        Quantity("", "auroc", ""): torch_reference.multiclass_auroc,
        Quantity("", "average_precision", ""): torch_reference.multiclass_average_precision,
        Quantity("", "macro_f1", "highest_score"): torch_reference.multiclass_f1_score,
        Quantity("", "precision", "highest_score"): torch_reference.multiclass_precision,
        Quantity("", "sensitivity", "highest_score"): torch_reference.multiclass_recall,
        Quantity("", "specificity", "highest_score"): torch_reference.multiclass_specificity,
        Quantity("", "balanced_accuracy", "highest_score"): torch_reference.multiclass_recall,
    }
    for quantity, metric in wanted.items():
        value = float(metric(*scores, num_classes=3, average="macro"))
        assert found[quantity] == pytest.approx(value, abs=1e-6), quantity


def test_operating_points_are_judged_label_by_label_and_fold_by_fold() -> None:
    case = cases.scored()
    points = {"youden": np.array([[0.3, 0.4, 0.5], [0.2, 0.4, np.nan]])}
    found = _found(case, NAMES, points)
    decided = case.scores_NL >= points["youden"][case.folds_N]
    for i, name in enumerate("ab"):
        for metric, value in _wanted(case.labels_NL[:, i], decided[:, i]).items():
            assert found[Quantity(name, metric, "youden")] == pytest.approx(value), (name, metric)
    for metric in RATES:  # the third label has no threshold in one fold
        pair = [found[Quantity(name, metric, "youden")] for name in "ab"]
        assert found[Quantity("", metric, "youden")] == pytest.approx(np.mean(pair))
        assert np.isnan(found[Quantity("c", metric, "youden")])


def test_no_quantity_has_two_names() -> None:
    points = {"youden": np.full((2, 3), 0.3), "sensitive": np.full((2, 3), 0.1)}
    quantities = Quantities(cases.scored(), list(NAMES), points)
    assert len(set(quantities.named)) == len(quantities.named)
    assert quantities(np.ones((2, 120))).shape == (2, len(quantities.named))
