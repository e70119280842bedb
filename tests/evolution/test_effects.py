"""Main effects: known ones are found through noise, what was hardly seen says little, and it is ridge regression."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cxr import seeding
from cxr.evolution import effects

TRUE = [{0: 0.03, 1: -0.03}, {0: -0.02, 1: 0.0, 2: 0.02}, {0: 0.0, 1: 0.0}]


def _observed(rows: int, noise: float) -> tuple[list[effects.Levels], list[float]]:
    rng = seeding.stream(1, "effects")
    levels = [tuple(int(rng.integers(len(of))) for of in TRUE) for _ in range(rows)]
    scores = [
        0.6 + sum(of[level] for of, level in zip(TRUE, one, strict=True)) + noise * rng.normal()
        for one in levels
    ]
    return levels, scores


def test_known_effects_are_found_through_noise() -> None:
    levels, scores = _observed(200, 0.01)
    found = effects.estimate(levels, scores, [1.0] * 200)
    for of, true in zip(found.of, TRUE, strict=True):
        for one, other in itertools.combinations(true, 2):
            assert of[one] - of[other] == pytest.approx(true[one] - true[other], abs=0.006)
    best = max(itertools.product(*TRUE), key=found.score)
    assert best[:2] == (0, 2)


def test_it_is_ridge_regression_on_indicators() -> None:
    """The mean is not shrunk and is that of the scores; effects solve (X'WX + kI) b = X'W (y - mean)."""
    levels, scores = _observed(40, 0.02)
    weights = [0.25 if place % 3 else 1.0 for place in range(40)]
    found = effects.estimate(levels, scores, weights)
    columns = [(factor, level) for factor, of in enumerate(TRUE) for level in of]
    x = np.array([[float(one[factor] == level) for factor, level in columns] for one in levels])
    w, y = np.diag(weights), np.array(scores) - np.average(scores, weights=weights)
    ridge = np.linalg.solve(x.T @ w @ x + effects.SHRINKAGE * np.eye(len(columns)), x.T @ w @ y)
    ours = [found.of[factor][level] for factor, level in columns]
    assert found.mean == pytest.approx(np.average(scores, weights=weights))
    assert ours == pytest.approx(ridge.tolist(), abs=1e-4)


def test_a_level_seen_once_says_little_and_one_never_seen_nothing() -> None:
    found = effects.estimate([(0,), (0,), (0,), (1,)], [0.5, 0.5, 0.5, 0.9], [1.0] * 4)
    assert 0.0 < found.of[0][1] < 0.1
    assert found.score((7,)) == found.mean == pytest.approx(0.6)


def test_a_lighter_observation_moves_less() -> None:
    heavy, light = (
        effects.estimate([(0,), (1,)], [0.5, 0.9], [1.0, weight]) for weight in (1.0, 0.1)
    )
    assert light.mean < heavy.mean and light.of[0][1] < heavy.of[0][1]


def test_nothing_is_known_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one observation"):
        effects.estimate([], [], [])
