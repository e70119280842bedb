"""How often the gate errs, by simulation: many acceptance sets, each with two models of known worth.

A model's scores are normal, so that its true AUROC is Phi(distance / sqrt 2); half of a score's
variance is shared by both models, as an image is hard for both. With intervals of 80 % each bound
errs in a tenth of the cases.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cxr import seeding
from cxr.gating import verdict
from tests.gating import cases

TRIALS, IMAGES, CONFIDENCE = 200, 160, 0.8
ALPHA = (1 - CONFIDENCE) / 2


def promoted(distances: tuple[float, float], **limits: Any) -> float:
    """The share of trials in which a challenger of the first distance takes the second's place."""
    asked, count = cases.limits(**limits), 0
    for trial in range(TRIALS):
        rng = seeding.stream(trial, "trial")
        labels_NL = (rng.random((IMAGES, 1)) < 0.4).astype(float)
        shared_NL = rng.normal(size=labels_NL.shape)
        challenger, champion = (
            cases.side(
                cases.scores(labels_NL, distance=distance, seed=2 * trial + i, noise=shared_NL)
            )
            for i, distance in enumerate(distances)
        )
        judged = cases.judge(
            cases.accepted(labels_NL), challenger, champion,
            asked=asked, samples=200, confidence=CONFIDENCE, seed=trial,
        )  # fmt: skip
        count += verdict.conclude(judged) == "promote"
    return count / TRIALS


def test_an_equal_challenger_counts_as_better_about_as_often_as_alpha_says() -> None:
    rate = promoted((1.5, 1.5), require_better=True, margin_auroc=1.0)
    assert ALPHA - 0.05 <= rate <= ALPHA + 0.06


def test_a_challenger_just_at_the_margin_passes_about_as_often_as_alpha_says() -> None:
    """Phi(1.5 / sqrt 2) - Phi(1.2 / sqrt 2) = 0.0535."""
    rate = promoted((1.2, 1.5), margin_auroc=0.0535)
    assert ALPHA - 0.05 <= rate <= ALPHA + 0.06


@pytest.mark.parametrize("better", [True, False])
def test_a_clearly_worse_challenger_is_never_promoted(better: bool) -> None:
    """True AUROCs .64 and .92."""
    assert promoted((0.5, 2.0), require_better=better, margin_auroc=0.05) == 0


def test_a_clearly_better_challenger_is_nearly_always_promoted() -> None:
    assert promoted((2.0, 0.5), require_better=True) >= 0.95


def test_the_distances_have_the_aurocs_that_the_tests_name() -> None:
    labels_NL = (np.arange(20_000) % 2).astype(float)[:, None]
    for distance, true in ((0.5, 0.638), (1.2, 0.802), (1.5, 0.8556), (2.0, 0.921)):
        side = cases.side(cases.scores(labels_NL, distance=distance, seed=1, noise=None))
        (rule, *_) = cases.judge(
            cases.accepted(labels_NL), side, None, asked=cases.limits(), samples=2
        )
        assert rule.value == pytest.approx(true, abs=0.012)
