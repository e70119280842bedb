"""DeLong: the published examples, the definition, and what becomes of it at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import auroc, delong
from tests.metrics import worked


def test_areas_deviations_and_intervals_are_those_in_print() -> None:
    found = delong.areas(worked.OVARIAN_TRUTH, worked.OVARIAN)
    assert found.auroc_M.round(4).tolist() == [0.7366, 0.7258, 0.6478]
    deviations = np.sqrt(np.diag(found.covariance_MM))
    assert deviations.round(4).tolist() == [0.0927, 0.1028, 0.1]
    intervals = [found.interval(model, confidence=0.95) for model in range(3)]
    assert np.round(intervals, 4).tolist() == [[0.5549, 0.9182], [0.5243, 0.9273], [0.4518, 0.8439]]


def test_the_contrasts_are_those_in_print() -> None:
    found = delong.areas(worked.OVARIAN_TRUTH, worked.OVARIAN)
    assert found.p_value(0, 1) == pytest.approx(0.9102, abs=5e-5)
    assert found.p_value(2, 1) == pytest.approx(0.4561, abs=5e-5)
    contrast = np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
    differences = contrast @ found.auroc_M
    covariance = contrast @ found.covariance_MM @ contrast.T
    assert differences.round(4).tolist() == [0.0108, -0.078]
    assert np.sqrt(np.diag(covariance)).round(4).tolist() == [0.0953, 0.1046]
    chi_squared = differences @ np.linalg.solve(covariance, differences)
    assert chi_squared == pytest.approx(2.5340, abs=5e-5)


def test_ratings_with_many_ties_are_those_in_print() -> None:
    found = delong.areas(worked.RATINGS_TRUTH, worked.RATINGS[None])
    assert found.auroc_M[0] == pytest.approx(0.8932, abs=5e-5)
    assert np.sqrt(found.covariance_MM[0, 0]) == pytest.approx(0.0307, abs=5e-5)
    assert found.interval(0, confidence=0.95) == pytest.approx((0.83295, 0.95339), abs=5e-6)


def _components(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the components of DeLong et al. 1988, equation 4, by comparing every pair."""
    gap = scores[truth == 1][:, None] - scores[truth == 0][None]
    wins = (gap > 0) + (gap == 0) / 2
    return wins.mean(axis=1), wins.mean(axis=0)


def test_midranks_give_what_comparing_every_pair_gives() -> None:
    rng = seeding.stream(3, "delong")
    truth = rng.integers(0, 2, 80).astype(float)
    scores = rng.integers(0, 9, (3, 80)) + truth
    truth[::7] = np.nan
    pairs = [_components(truth, one) for one in scores]
    wanted = sum(
        np.cov([pair[side] for pair in pairs]) / len(pairs[0][side]) for side in (0, 1)
    )  # fmt: skip
    found = delong.areas(truth, scores)
    np.testing.assert_allclose(found.covariance_MM, wanted, rtol=1e-10)
    for one, value in zip(scores, found.auroc_M, strict=True):
        assert value == auroc.auroc(truth, one)


def test_a_model_does_not_differ_from_itself_whatever_its_scale() -> None:
    scores = np.stack([worked.OVARIAN[0], 7 * worked.OVARIAN[0] + 1])
    assert delong.areas(worked.OVARIAN_TRUTH, scores).p_value(0, 1) == 1.0


def test_a_perfect_order_has_an_interval_without_width() -> None:
    found = delong.areas(np.array([0.0, 0, 1, 1]), np.array([[1.0, 2, 3, 4]]))
    assert found.interval(0, confidence=0.95) == (1.0, 1.0)


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, np.nan, 1], [0, 1, np.nan]])
def test_too_few_images_leave_the_interval_undefined(truth: list[float]) -> None:
    found = delong.areas(np.array(truth, float), np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]))
    assert np.isnan(found.interval(0, confidence=0.95)).all()
    assert np.isnan(found.p_value(0, 1))
