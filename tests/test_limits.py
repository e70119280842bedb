"""Limits: each circumstance adds its sentence, and only it."""

from __future__ import annotations

import pytest

from cxr.limits import limits

PLAIN = {"data_sets": ["darkcovidnet"], "protocol": "by_patient", "calibrated": False}


def test_what_holds_of_any_model_is_always_said():
    said = limits(**PLAIN)
    assert len(said) == 4
    assert "other hospitals" in said[0] and "goes unseen" in said[1] and "not calibrated" in said[3]


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"protocol": "by_image"}, "both sides"), ({"data_sets": ["nih14", "phantom"]}, "drawn by code")],
)  # fmt: skip
def test_what_is_special_adds_a_sentence(changed, words):
    said = limits(**{**PLAIN, **changed})
    assert said[:4] == limits(**PLAIN) and len(said) == 5 and words in said[4]


def test_calibration_is_told_apart():
    (said,) = set(limits(**{**PLAIN, "calibrated": True})) - set(limits(**PLAIN))
    assert "are calibrated, on images of the same data sets" in said
