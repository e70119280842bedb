"""Rules: bounds are held against intervals, every rule is told, and what is too rare is not judged."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr import seeding
from cxr.gating import rules
from cxr.gating.acceptance import Accepted, Side
from cxr.gating.limits import Calibration, Cost, Group
from tests.gating import cases

EVERYTHING: dict[str, Any] = {
    "require_better": True, "floor_auroc": 0.6,
    "classes": Group(floor_auroc=0.6, floor_sensitivity=0.2, margin_auroc=0.1, margin_sensitivity=0.2),
    "sources": Group(floor_auroc=0.6, floor_sensitivity=0.2, margin_auroc=0.1, margin_sensitivity=0.2),
    "calibration": Calibration(ceiling_ece=0.5, ceiling_brier=1.0, margin_ece=0.1, margin_brier=0.1),
    "cost": Cost(parameters=1.5, macs=1.5, onnx_bytes=1.5),
}  # fmt: skip


def case(*, distance: float = 1.5, seed: int = 1, images: int = 80) -> tuple[Accepted, Side, Side]:
    labels_NL = (seeding.stream(seed, "labels").random((images, 2)) < 0.4).astype(float)
    one, other = (
        cases.side(cases.scores(labels_NL, distance=d, seed=seed + i))
        for i, d in enumerate((distance, 1.5))
    )
    return cases.accepted(labels_NL), one, other


@pytest.mark.parametrize(
    ("low", "high", "bound", "kind", "passed"),
    [
        (-0.02, 0.01, -0.02, "margin", "yes"),  # at the bound is within it
        (-0.03, 0.01, -0.02, "margin", "undecided"),
        (-0.03, -0.02, -0.02, "margin", "undecided"),
        (-0.05, -0.03, -0.02, "margin", "no"),
        (0.01, 0.03, 0.0, "better", "yes"),
        (0.0, 0.03, 0.0, "better", "undecided"),  # equal is not better
        (-0.03, 0.0, 0.0, "better", "no"),
        (0.0, 0.0, 0.0, "better", "no"),
        (0.0, 0.0, 0.0, "margin", "yes"),
        (0.61, 0.8, 0.6, "floor", "yes"),
        (0.5, 0.59, 0.6, "floor", "no"),
        (0.1, 0.2, 0.2, "ceiling", "yes"),
        (0.1, 0.3, 0.2, "ceiling", "undecided"),
        (0.21, 0.3, 0.2, "ceiling", "no"),
        (1.51, 1.51, 1.5, "cost", "no"),
        (float("nan"), float("nan"), 0.0, "margin", "undecided"),
    ],
)
def test_an_interval_lies_on_one_side_of_the_bound_or_on_both(
    low: float, high: float, bound: float, kind: Any, passed: str
) -> None:
    assert rules.compare(low, high, bound, kind=kind) == passed


def test_every_rule_is_told_in_a_fixed_order() -> None:
    accepted, challenger, champion = case()
    asked = cases.limits(**EVERYTHING)
    compared = ("margin", "floor")
    both = [
        *(f"AUROC, class {x}: {kind}" for x in "ab" for kind in compared),
        *(f"sensitivity, class {x}: {kind}" for x in "ab" for kind in compared),
        *(f"{x}, source here: {kind}" for x in ("macro AUROC", "mean sensitivity") for kind in compared),
        *(f"{x}: {kind}" for x in ("ECE", "Brier score") for kind in ("margin", "ceiling")),
    ]  # fmt: skip
    names = [rule.rule for rule in cases.judge(accepted, challenger, champion, asked=asked)]
    assert names == [
        "macro AUROC: better", "macro AUROC: margin", "macro AUROC: floor", *both,
        "parameters: cost", "MACs: cost", "ONNX bytes: cost",
    ]  # fmt: skip
    alone = [rule.rule for rule in cases.judge(accepted, challenger, None, asked=asked)]
    absolute = [name for name in both if name.endswith((": floor", ": ceiling"))]
    assert alone == ["macro AUROC: floor", *absolute]


def test_the_bound_of_the_interval_decides_not_the_point() -> None:
    accepted, challenger, champion = case()
    asked = cases.limits(classes=dataclasses.replace(cases.ANY, floor_auroc=0.8))
    rule = cases.by_name(cases.judge(accepted, challenger, champion, asked=asked))[
        "AUROC, class b: floor"
    ]
    assert rule.value is not None and rule.low is not None and rule.high is not None
    assert rule.low < 0.8 < rule.value < rule.high and rule.passed == "undecided"
    assert rule.words == "neither shown to be at least 0.8 nor shown to be below 0.8"


def test_less_calibrated_is_broken_and_better_calibrated_holds() -> None:
    accepted, good, _ = case(images=300)
    bold = cases.side(np.clip(np.round(good.scores_NL), 0.001, 0.999))
    limits = cases.limits(calibration=EVERYTHING["calibration"])
    worse = cases.by_name(cases.judge(accepted, bold, good, asked=limits))
    better = cases.by_name(cases.judge(accepted, good, bold, asked=limits))
    for name in ("ECE: margin", "Brier score: margin"):
        assert worse[name].bound == better[name].bound == 0.1
        assert (worse[name].value or 0) > 0 > (better[name].value or 0)
        assert better[name].passed == "yes"
    assert worse["ECE: margin"].passed == "no"
    assert worse["ECE: margin"].words == "shown to be more than 0.1 above the champion's"


def test_a_dearer_model_is_refused_whatever_it_reaches() -> None:
    accepted, challenger, champion = case()
    dear = dataclasses.replace(
        challenger, costs={"parameters": 1501, "macs": 7500, "onnx_bytes": 1}
    )
    found = cases.by_name(
        cases.judge(accepted, dear, champion, asked=cases.limits(cost=EVERYTHING["cost"]))
    )
    assert [found[f"{x}: cost"].passed for x in ("parameters", "MACs", "ONNX bytes")] == [
        "no", "yes", "yes",
    ]  # fmt: skip
    assert (
        found["parameters: cost"].words == "1,501 against 1,000, more than 1.5 times the champion's"
    )
    assert found["parameters: cost"].value == 1.501 and found["parameters: cost"].low is None


def test_rare_classes_are_not_judged_and_say_so() -> None:
    labels_NL = np.zeros((80, 2))
    labels_NL[:40, 0], labels_NL[:3, 1] = 1, 1
    sides = [cases.side(cases.scores(labels_NL, distance=1.5, seed=i)) for i in (1, 2)]
    asked = cases.limits(**EVERYTHING)
    found = cases.by_name(cases.judge(cases.accepted(labels_NL), *sides, asked=asked))
    rule = found["AUROC, class b: margin"]
    assert (rule.passed, rule.value, rule.low, rule.bound) == ("not judged", None, None, -0.1)
    assert rule.words == "not judged: 3 patient(s) with it and 77 without it, 5 of each are needed"
    assert found["AUROC, class a: floor"].passed != "not judged"


def test_a_set_on_which_nothing_can_be_judged_promotes_nobody() -> None:
    accepted, challenger, champion = case()
    found = cases.judge(accepted, challenger, champion, asked=cases.limits(min_patients=70))
    assert {rule.passed for rule in found if rule.rule.startswith("macro AUROC")} == {"undecided"}


def test_resamples_that_lost_a_class_are_counted() -> None:
    labels_NL = np.zeros((12, 1))
    labels_NL[:2] = 1
    side = cases.side(cases.scores(labels_NL, distance=1.5, seed=1))
    asked = cases.limits(min_patients=1)
    (rule, *_) = cases.judge(cases.accepted(labels_NL), side, None, asked=asked)
    assert "of 100 resamples lost a class and are left out)" in rule.words


def test_a_model_is_as_good_as_itself_and_not_better() -> None:
    accepted, side, _ = case()
    asked = cases.limits(require_better=True, margin_auroc=0.0)
    found = cases.by_name(cases.judge(accepted, side, side, asked=asked))
    assert found["macro AUROC: margin"].passed == "yes"
    assert found["macro AUROC: better"].passed == "no"
    assert found["macro AUROC: better"].words == "shown to be not above the champion's"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.5, 2.0))
def test_swapping_the_sides_mirrors_the_difference(seed: int, distance: float) -> None:
    accepted, one, other = case(distance=distance, seed=seed)
    asked = cases.limits(**EVERYTHING)
    ahead = cases.judge(accepted, one, other, asked=asked)
    back = cases.by_name(cases.judge(accepted, other, one, asked=asked))
    for rule in (rule for rule in ahead if rule.kind in ("better", "margin")):
        twin = back[rule.rule]
        assert rule.value is not None and rule.low is not None and rule.high is not None
        assert twin.value == -rule.value
        assert (twin.low, twin.high) == pytest.approx((-rule.high, -rule.low), abs=2e-6)
