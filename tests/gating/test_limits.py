"""Limits: shares lie between 0 and 1, times are positive, and `None` is no limit."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cxr.gating import limits
from tests.gating import cases


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"margin_auroc": -0.01}, "margin_auroc must lie between 0 and 1, not -0.01"),
        ({"floor_auroc": 1.5}, "floor_auroc must lie between 0 and 1, not 1.5"),
        ({"min_patients": 0}, "min_patients must be at least 1, not 0"),
    ],
)
def test_nonsense_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cases.limits(**changed)


def test_nonsense_of_the_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="floor_sensitivity must lie between 0 and 1, not 60"):
        dataclasses.replace(cases.ANY, floor_sensitivity=60.0)
    with pytest.raises(ValueError, match="macs must be above 0 times the champion's, not 0"):
        limits.Cost(parameters=1.0, macs=0.0, onnx_bytes=None)


def test_a_brier_score_of_exclusive_classes_may_reach_two() -> None:
    assert dataclasses.replace(cases.ANY_CALIBRATION, ceiling_brier=2.0).ceiling_brier == 2.0
    with pytest.raises(ValueError, match=r"ceiling_brier must lie between 0 and 2, not 2\.1"):
        dataclasses.replace(cases.ANY_CALIBRATION, ceiling_brier=2.1)
