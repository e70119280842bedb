"""Measures: what cxr.metrics says of the images, paired on resamples, exact in any order of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr import seeding
from cxr.gating import measures
from cxr.gating.acceptance import Accepted, Side
from cxr.metrics import auroc, calibration, classification, intervals
from tests.gating import cases

IMAGES = 60


def labels(*, exclusive: bool, seed: int = 1) -> np.ndarray:
    """Three labels of 60 images: one each, or any number and some unknown."""
    rng = seeding.stream(seed, "labels")
    if exclusive:
        return np.eye(3)[rng.integers(0, 3, IMAGES)]
    labels_NL = (rng.random((IMAGES, 3)) < 0.4).astype(float)
    labels_NL[rng.random((IMAGES, 3)) < 0.1] = np.nan
    return labels_NL


def case(*, exclusive: bool, seed: int = 1) -> tuple[Accepted, Side, Side]:
    """Two images per patient, two sources, two models of which the first is better."""
    labels_NL = labels(exclusive=exclusive, seed=seed)
    known_NL = np.nan_to_num(labels_NL)
    one, other = (
        cases.side(cases.scores(known_NL, distance=distance, seed=seed + i), exclusive=exclusive)
        for i, distance in enumerate((1.5, 1.0))
    )
    patients = [f"p{i // 2:03d}" for i in range(IMAGES)]
    sources = ["here" if i // 2 % 3 else "there" for i in range(IMAGES)]
    return cases.accepted(labels_NL, patients, sources, exclusive=exclusive), one, other


def measure(
    accepted: Accepted, challenger: Side, champion: Side | None = None, *, least: int = 2
) -> measures.Measured:
    rng = seeding.stream(1, "bootstrap")
    return measures.measure(accepted, challenger, champion, min_patients=least, samples=40, rng=rng)


def values(found: measures.Measured) -> dict[str, float]:
    pairs = zip(found.quantities, found.challenger_V.tolist(), strict=True)
    return {quantity.words: value for quantity, value in pairs}


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_values_are_those_of_the_metrics(exclusive: bool) -> None:
    accepted, side, _ = case(exclusive=exclusive)
    labels_NL, scores_NL = accepted.labels_NL, side.scores_NL
    found = values(measure(accepted, side))
    assert found["macro AUROC"] == pytest.approx(float(auroc.macro(labels_NL, scores_NL)))
    recall_L = classification.count(labels_NL, side.decided_NL).recall
    assert found["sensitivity, class b"] == recall_L[1]
    claims = calibration.claims(labels_NL, scores_NL, exclusive=exclusive)
    assert found["ECE"] == pytest.approx(calibration.reliability(*claims).ece, abs=1e-8)
    brier = calibration.brier(labels_NL, scores_NL, exclusive=exclusive)
    assert found["Brier score"] == pytest.approx(brier, abs=1e-8)
    there = accepted.sources_N == "there"
    of_source = float(auroc.macro(labels_NL[there], scores_NL[there]))
    assert found["macro AUROC, source there"] == pytest.approx(of_source)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_resample_counts_an_image_as_often_as_it_was_drawn(exclusive: bool) -> None:
    accepted, side, _ = case(exclusive=exclusive)
    found = measure(accepted, side)
    pieces = intervals.resamples(
        accepted.patients_N, samples=40, rng=seeding.stream(1, "bootstrap")
    )
    drawn = np.repeat(np.arange(IMAGES), np.concatenate([*pieces])[7].astype(int))
    again = cases.accepted(
        accepted.labels_NL[drawn], accepted.patients_N[drawn],
        accepted.sources_N[drawn].tolist(), exclusive=exclusive,
    )  # fmt: skip
    whole = measure(again, cases.side(side.scores_NL[drawn], exclusive=exclusive), least=1)
    np.testing.assert_allclose(found.challenger_BV[7], whole.challenger_V, rtol=0, atol=1e-12)


def test_a_class_of_few_patients_is_named_and_leaves_the_macro_auroc() -> None:
    labels_NL = np.zeros((IMAGES, 2))
    labels_NL[::2, 0] = 1
    labels_NL[:4, 1] = 1  # four images of two patients
    accepted = cases.accepted(labels_NL, [f"p{i // 2}" for i in range(IMAGES)])
    side = cases.side(cases.scores(labels_NL, distance=1.0, seed=1))
    found = measure(accepted, side, least=3)
    lacking = {quantity.words: quantity.lacking for quantity in found.quantities}
    words = "2 patient(s) with it and 30 without it, 3 of each are needed"
    assert lacking["AUROC, class b"] == words.replace("30", "28")
    assert lacking["sensitivity, class b"] == "2 patient(s) with it, 3 are needed"
    assert lacking["AUROC, class a"] == lacking["macro AUROC"] == ""
    got = values(found)
    assert got["macro AUROC"] == got["AUROC, class a"] and np.isnan(got["AUROC, class b"])


def test_a_class_that_nearly_all_have_can_be_found_but_not_ranked() -> None:
    labels_NL = np.ones((IMAGES, 1))
    labels_NL[:2] = 0
    accepted = cases.accepted(labels_NL)
    side = cases.side(cases.scores(labels_NL, distance=1.0, seed=1))
    lacking = {x.words: x.lacking for x in measure(accepted, side, least=3).quantities}
    words = "58 patient(s) with it and 2 without it, 3 of each are needed"
    assert lacking["AUROC, class a"] == words and lacking["macro AUROC"]
    assert lacking["sensitivity, class a"] == ""


def test_a_source_without_enough_patients_of_any_class_is_named() -> None:
    accepted, side, _ = case(exclusive=True)
    sources = ["tiny" if i < 2 else "here" for i in range(IMAGES)]
    small = cases.accepted(accepted.labels_NL, accepted.patients_N, sources, exclusive=True)
    lacking = {x.words: x.lacking for x in measure(small, side, least=3).quantities}
    assert lacking["macro AUROC, source tiny"] == (
        "no class has 3 patients with it and 3 without it there"
    )
    assert lacking["mean sensitivity, source tiny"] == "no class has 3 patients with it there"
    assert lacking["macro AUROC, source here"] == ""
    nothing = {x.words: x.lacking for x in measure(small, side, least=50).quantities}
    assert nothing["macro AUROC"] == "no class has 50 patients with it and 50 without it"


def test_patients_count_once_however_many_images_they_have() -> None:
    labels_NL = np.array([[1.0], [1.0], [0.0], [0.0], [np.nan]])
    patients_N = np.array(["a", "a", "a", "b", "c"])
    assert measures.patients(labels_NL, patients_N, 1).tolist() == [1]
    assert measures.patients(labels_NL, patients_N, 0).tolist() == [2]


def test_a_model_against_itself_differs_nowhere() -> None:
    accepted, side, _ = case(exclusive=True)
    found = measure(accepted, side, side)
    assert found.champion_BV is not None
    np.testing.assert_array_equal(found.challenger_BV, found.champion_BV)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_swapping_the_sides_swaps_the_values(seed: int, exclusive: bool) -> None:
    accepted, one, other = case(exclusive=exclusive, seed=seed)
    ahead, back = measure(accepted, one, other), measure(accepted, other, one)
    np.testing.assert_array_equal(ahead.challenger_BV, back.champion_BV)
    np.testing.assert_array_equal(ahead.champion_V, back.challenger_V)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(IMAGES)), st.booleans())
def test_the_order_of_images_changes_no_bit(order: Any, exclusive: bool) -> None:
    accepted, one, other = case(exclusive=exclusive)
    moved = cases.accepted(
        accepted.labels_NL[order], accepted.patients_N[order],
        accepted.sources_N[order].tolist(), exclusive=exclusive,
    )  # fmt: skip
    sides = [cases.side(side.scores_NL[order], exclusive=exclusive) for side in (one, other)]
    before, after = measure(accepted, one, other), measure(moved, *sides)
    for key in ("challenger_V", "champion_V", "challenger_BV", "champion_BV"):
        assert getattr(before, key).tobytes() == getattr(after, key).tobytes()
