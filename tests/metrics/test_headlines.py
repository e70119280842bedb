"""Headlines: those of the single metrics, and the same whether weighted or repeated."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import auroc, classification, headlines
from cxr.metrics.scored import Scored
from tests.metrics import cases


@pytest.mark.parametrize("case", [cases.scored(), cases.combined()], ids=["one", "any"])
def test_values_are_those_of_the_single_metrics(case: Scored) -> None:
    found = headlines.values(case)
    counts = classification.count(case.labels_NL, case.decided_NL)
    every = np.full(case.labels_NL.shape[1], True)
    overall = classification.overall(counts, supported_L=every, exclusive=case.exclusive)
    aurocs = auroc.per_label(case.labels_NL, case.scores_NL)
    np.testing.assert_allclose(found, [*overall, aurocs.mean(), *aurocs], rtol=1e-14)


def test_a_resample_counts_an_image_as_often_as_it_was_drawn() -> None:
    case = cases.scored()
    times = seeding.stream(1, "times").integers(0, 4, 120)
    drawn = np.repeat(np.arange(120), times)
    weighted = headlines.values(case, times[None].astype(float))
    np.testing.assert_allclose(weighted[0], headlines.values(case.part(drawn)), rtol=1e-14)


def test_a_label_without_two_sides_leaves_the_mean_to_the_others() -> None:
    values = np.array([[0.5, np.nan, 0.7]])
    assert headlines.mean_over(values, np.array([True, False, True]))[0] == pytest.approx(0.6)
    assert np.isnan(headlines.mean_over(values, np.array([True, True, True]))[0])
    assert np.isnan(headlines.mean_over(values, np.full(3, False))[0])
