"""Errors under weights: those of repeated images, by calibration, scikit-learn and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as torch_reference
from sklearn import metrics as reference

from cxr import seeding
from cxr.metrics import calibration
from cxr.metrics.errors import Errors


def _case(*, exclusive: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = seeding.stream(7, "errors")
    scores = rng.dirichlet(np.ones(3), 120)
    labels = np.eye(3)[rng.integers(0, 3, 120)]
    if not exclusive:
        labels[rng.random((120, 3)) < 0.2] = np.nan
    return labels, scores


@pytest.mark.parametrize("exclusive", [True, False])
def test_errors_under_weights_are_those_of_repeated_images(exclusive: bool) -> None:
    labels, scores = _case(exclusive=exclusive)
    weights = seeding.stream(7, "times").integers(0, 3, (4, 120)).astype(float)
    errors = Errors(labels, scores, exclusive=exclusive)
    found = zip(errors.ece(weights), errors.brier(weights), strict=True)
    for times, (ece, brier) in zip(weights.astype(int), found, strict=True):
        drawn = labels.repeat(times, axis=0), scores.repeat(times, axis=0)
        claims = calibration.claims(*drawn, exclusive=exclusive)
        assert ece[0] == pytest.approx(calibration.reliability(*claims).ece, abs=1e-8)
        wanted = calibration.brier(*drawn, exclusive=exclusive)
        assert brier[0] == pytest.approx(wanted, abs=1e-8)


def test_the_ece_is_torchmetrics() -> None:
    labels, scores = _case(exclusive=True)
    found = Errors(labels, scores, exclusive=True).ece(np.ones((1, 120)))[0, 0]
    wanted = torch_reference.multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(labels.argmax(1)),
        num_classes=3, n_bins=calibration.BINS, norm="l1",
    )  # fmt: skip
    assert found == pytest.approx(float(wanted), abs=1e-6)


def test_a_labels_own_brier_score_is_scikit_learns() -> None:
    labels, scores = _case(exclusive=False)
    found = Errors(labels, scores, exclusive=False).brier_per_label(np.ones((1, 120)))[0]
    for i, value in enumerate(found):
        known = ~np.isnan(labels[:, i])
        wanted = reference.brier_score_loss(labels[known, i], scores[known, i])
        assert value == pytest.approx(wanted, abs=1e-8)


def test_a_label_that_nobody_knows_has_no_error() -> None:
    errors = Errors(np.full((3, 1), np.nan), np.full((3, 1), 0.4), exclusive=False)
    ones = np.ones((1, 3))
    found = errors.ece(ones), errors.brier(ones), errors.brier_per_label(ones)
    assert np.isnan(found).all()
