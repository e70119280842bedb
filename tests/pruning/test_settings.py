"""What a pruning is told: each fault is told by name, before anything runs."""

import pytest

from cxr.pruning.settings import Contest, Survivors, Terms

TERMS = {
    "shares": [0.5, 0.29],
    "window": 0.97,
    "fitness": "auroc",
    "worst_label": None,
    "population": 4,
    "generations": 1,
    "survivors": None,
    "contest": Contest(evolved=1, samples=8),
}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"shares": [0.99]},
        {"window": 1.0},
        {"worst_label": 0.0},
        {"survivors": Survivors(networks=3, samples=8)},
    ],
)
def test_what_fits_is_taken(change):
    Terms(**{**TERMS, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shares": []}, r"shares must fall, each above 0 and below 1, not \[\]"),
        ({"shares": [0.3, 0.5]}, r"shares must fall, .*not \[0\.3, 0\.5\]"),
        ({"shares": [0.5, 0.5]}, "shares must fall"),
        ({"shares": [1.0]}, "share 1 must be a whole number of per cent"),
        ({"shares": [0.0]}, "share 0 must be a whole number of per cent"),
        ({"shares": [0.125]}, r"share 0\.125 must be a whole number of per cent"),
        ({"window": 0.0}, r"window must be above 0 and at most 1, not 0\.0"),
        ({"window": 1.01}, r"window must be above 0 and at most 1, not 1\.01"),
        ({"worst_label": -0.1}, r"worst_label must be null or at least 0 and below 1, not -0\.1"),
        ({"worst_label": 1.0}, "worst_label must be null"),
        ({"population": 1}, "population must be at least 2, not 1"),
        ({"generations": 0}, "generations must be at least 1, not 0"),
        (
            {"survivors": Survivors(networks=4, samples=8)},
            r"survivors\.networks must be fewer than the population of 4, not 4",
        ),
    ],
)
def test_a_fault_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        Terms(**{**TERMS, **change})


@pytest.mark.parametrize(
    ("record", "name"),
    [(Survivors, "networks"), (Survivors, "samples"), (Contest, "evolved"), (Contest, "samples")],
)
def test_nobody_is_trained_on_nothing(record, name):
    fields = dict.fromkeys(record.__dataclass_fields__, 1)
    record(**fields)
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        record(**{**fields, name: 0})
