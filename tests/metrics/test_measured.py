"""Measured: paired resamples, numbers that JSON takes, and speed at the size of ChestX-ray14."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import measured, subgroups
from cxr.metrics.quantities import Quantity
from cxr.metrics.scored import Scored
from tests.metrics import cases


def test_a_group_of_all_images_meets_the_resamples_of_all_images() -> None:
    found = cases.measure(cases.scored(), attributes={"source": np.full(120, "here")})
    for i, name in enumerate("abc"):
        place = found.quantities.index(Quantity(name, "auroc", ""))
        np.testing.assert_array_equal(found.group_BGML[:, 0, 0, i], found.spread_BV[:, place])
        assert found.group_GML[0, 0, i] == found.point_V[place]


def test_operating_points_and_groups_leave_the_other_figures_alone() -> None:
    plain = cases.measure(cases.scored())
    attributes = subgroups.attributes(cases.people(120))
    points = {"youden": np.full((2, 3), 0.3)}
    more = cases.measure(cases.scored(), attributes=attributes, points=points)
    for quantity in plain.quantities:
        assert plain.found(quantity) == more.found(quantity)
        assert plain.left_out(quantity) == more.left_out(quantity)


def test_numbers_are_plain_and_the_undefined_is_none() -> None:
    assert measured.number(np.float64(0.12345678)) == 0.123457
    assert measured.number(np.nan) is None
    nobody = np.column_stack([cases.scored().labels_NL[:, :2], np.zeros(120)])
    found = cases.measure(cases.scored(labels_NL=nobody, exclusive=False))
    assert found.found(Quantity("c", "auroc", "")) == {"value": None, "low": None, "high": None}
    assert found.left_out(Quantity("c", "auroc", "")) == 60


def _chestxray14() -> tuple[Scored, dict[str, np.ndarray]]:
    """As many images, patients and labels as the test part of ChestX-ray14, with its shares."""
    rng = seeding.stream(2, "speed")
    images, patients = 25_596, 2_797
    present = np.array([0.13, 0.04, 0.18, 0.24, 0.07, 0.06, 0.02, 0.1, 0.07, 0.04, 0.04, 0.02, 0.04, 0.003])  # fmt: skip
    labels = (rng.random((images, 14)) < present).astype(float)
    scores = (rng.random((images, 14)) * 0.7 + 0.3 * labels).astype(np.float32).astype(float)
    patients_N = rng.integers(0, patients, images).astype(str)
    sex = rng.integers(0, 2, patients)[patients_N.astype(int)].astype(str)
    case = Scored(
        labels_NL=labels, scores_NL=scores, decided_NL=scores >= 0.5, patients_N=patients_N,
        folds_N=np.zeros(images, int), sources_N=np.full(images, "nih"), exclusive=False,
    )  # fmt: skip
    view = rng.integers(0, 2, images).astype(str)
    age = rng.integers(0, 5, images).astype(str)
    return case, {"age": age, "sex": sex, "source": np.full(images, "nih"), "view": view}


@pytest.mark.slow
def test_two_thousand_resamples_of_chestxray14_take_at_most_a_minute() -> None:
    case, attributes = _chestxray14()
    points = {rule: np.full((1, 14), 0.4) for rule in ("sensitive", "youden")}
    names = [f"label{i}" for i in range(14)]
    start = time.process_time()
    found = measured.measure(
        case, names, samples=2000, confidence=0.95, rng=seeding.stream(1, "x"),
        points=points, attributes=attributes,
    )  # fmt: skip
    assert found.spread_BV.shape[0] == 2000 and not np.isnan(found.point_V).any()
    assert time.process_time() - start <= 60
