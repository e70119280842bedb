"""Tolerance limits: published sample sizes, as sure as they say in simulations, and what can't be asked."""

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics.tolerance import tolerance


@pytest.mark.parametrize(
    ("exceeded", "seen"),
    [(0.05, (59, 93, 124, 153, 181)), (0.10, (29, 46, 61, 76, 89)), (0.01, (299, 473, 628))],
)
def test_sample_sizes_are_the_published_ones(exceeded, seen):
    """The fewest values for 0, 1, 2 … above the limit with 95 % confidence: the table of Wilks' formula."""
    for above, fewest in enumerate(seen):
        assert tolerance(fewest, exceeded=exceeded, confidence=0.95).above == above
        less = tolerance(fewest - 1, exceeded=exceeded, confidence=0.95)
        assert less.above == max(above - 1, 0)
        assert (less.confidence >= 0.95) == (above > 0)


@pytest.mark.parametrize("seen", [59, 110, 500])
def test_the_limit_is_exceeded_as_seldom_as_it_says(seen):
    """Of uniform values the share above a limit is 1 - limit."""
    above, confidence = tolerance(seen, exceeded=0.05, confidence=0.95)
    values = np.sort(seeding.stream(1, "tolerance", seen).random((20_000, seen)), axis=1)
    kept = float((1 - values[:, seen - 1 - above] <= 0.05).mean())
    assert confidence >= 0.95 and abs(kept - confidence) < 0.01


def test_too_few_values_say_how_unsure_the_largest_is():
    found = tolerance(8, exceeded=0.05, confidence=0.95)
    assert found.above == 0 and found.confidence == pytest.approx(1 - 0.95**8)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"seen": 0}, "at least one value"), ({"exceeded": 0.0}, "exceeded must lie"),
     ({"confidence": 1.0}, "confidence must lie")],
)  # fmt: skip
def test_what_is_no_share_is_refused(changes, words):
    asked = {"seen": 10, "exceeded": 0.05, "confidence": 0.95} | changes
    with pytest.raises(ValueError, match=words):
        tolerance(asked.pop("seen"), **asked)
