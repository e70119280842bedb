"""Only what chance would seldom do is called better or worse."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.metrics import scored
from cxr.review import differences
from cxr.review.evidence import Model
from tests.review import cases


def model(rows, name="small", **changes):
    return Model(name=name, metrics=cases.metrics(rows, **changes), predictions=rows)


def compare(base, head, **options):
    names = [{one.name: one for one in side} for side in (base, head)]
    return differences.compare(*names, **{"seed_only": False, **options})


def test_a_clear_gain_is_better_and_its_reverse_worse() -> None:
    old, new = model(cases.predictions(0.3)), model(cases.predictions(2.0))
    found = compare([old], [new])
    assert [(one.metric, one.how, one.verdict) for one in found] == [
        ("auroc", "paired", "better"),
        ("accuracy", "paired", "better"),
    ]
    assert [one.verdict for one in compare([new], [old])] == ["worse", "worse"]


def test_two_tries_of_the_same_skill_are_noise() -> None:
    tries = [model(cases.predictions(0.8, noise=i)) for i in (1, 2)]
    found = compare([tries[0]], [tries[1]])
    assert [one.verdict for one in found] == ["noise", "noise"]
    assert all(one.low < 0 < one.high for one in found)


def test_the_same_predictions_are_the_same_and_no_comparison() -> None:
    same = model(cases.predictions(1.0), name="same")
    found = compare([same, model(cases.predictions(0.3))], [same, model(cases.predictions(2.0))])
    assert [one.verdict for one in found[:2]] == ["same", "same"]
    assert [one.adjusted for one in found[:2]] == [None, None]
    assert found[2].adjusted == pytest.approx(2 * found[2].p)  # of two, not of four


def test_a_paired_interval_is_that_of_the_patients_differences() -> None:
    """The standard error of a mean difference over clusters, by hand."""
    rows = [cases.predictions(level, noise=i) for i, level in enumerate((0.8, 1.1))]
    (found,) = [x for x in compare(*([model(x)] for x in rows)) if x.metric == "accuracy"]
    right = [x["label:ill"].to_numpy() == (x["score:ill"] > 0.5).to_numpy() for x in rows]
    gained_N = right[1].astype(float) - right[0].astype(float)
    by_patient_P = gained_N.reshape(-1, 2).mean(axis=1)
    half = 1.96 * by_patient_P.std() / np.sqrt(len(by_patient_P))
    assert found.value == pytest.approx(gained_N.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_other_images_are_not_paired_and_need_more_to_be_seen() -> None:
    first, other = model(cases.predictions(0.8)), model(cases.predictions(1.1, shift=1))
    paired = compare([first], [model(cases.predictions(1.1))])
    apart = compare([first], [other])
    assert {one.how for one in apart} == {"apart"}
    for one, two in zip(paired, apart, strict=True):
        assert two.high - two.low > 1.5 * (one.high - one.low)


def test_another_label_of_one_image_ends_the_pairing() -> None:
    rows = cases.predictions(1.0)
    turned = rows.copy()
    turned.loc[0, ["label:ill", "label:well"]] = turned.loc[0, ["label:well", "label:ill"]].tolist()
    assert differences.same_images(model(rows), model(rows.copy()))
    assert not differences.same_images(model(rows), model(turned))
    assert not differences.same_images(model(rows), model(rows.iloc[2:]))


def test_without_predictions_the_reported_intervals_decide() -> None:
    old = Model(name="small", metrics=cases.metrics(cases.predictions(0.3)), predictions=None)
    new = model(cases.predictions(2.0))
    (area, _) = compare([old], [new])
    assert (area.how, area.verdict) == ("reported", "better")
    half = (0.04**2 + 0.04**2) ** 0.5  # of two intervals of ± 0.04 each
    assert (area.high - area.low) / 2 == pytest.approx(half, rel=1e-3)


def test_predictions_of_another_run_than_the_metrics_are_not_believed() -> None:
    rows = cases.predictions(1.0)
    told = model(rows, auroc={"value": 0.999, "low": 0.99, "high": 1.0})
    (area, right) = compare([model(rows)], [told])
    assert area.how == right.how == "reported"
    assert area.note == "predictions and reported metrics disagree (now)"


def test_a_model_of_one_side_stands_by_itself() -> None:
    found = compare([model(cases.predictions(1.0), "old")], [model(cases.predictions(1.0), "new")])
    assert [(one.model, one.verdict, one.value) for one in found] == [
        ("new", "alone", None), ("new", "alone", None), ("old", "alone", None), ("old", "alone", None),
    ]  # fmt: skip
    assert found[0].base is None and found[2].head is None


def test_of_the_seed_alone_every_difference_is_chance() -> None:
    found = compare([model(cases.predictions(0.3))], [model(cases.predictions(2.0))], seed_only=True)  # fmt: skip
    assert [one.verdict for one in found] == ["chance", "chance"]
    assert all(one.adjusted < differences.ALPHA for one in found)  # whatever the intervals say


def test_findings_that_combine_are_decided_by_their_thresholds() -> None:
    rows = cases.predictions(1.0)
    changes = {"loss": "bce", "thresholds": {"ill": [0.9], "well": [0.9]}}
    decided = scored.from_table(rows, np.array([[0.9, 0.9]]))
    right = (decided.decided_NL == (decided.labels_NL == 1)).mean()
    strict = model(rows, **changes, accuracy={"value": round(right, 6), "low": 0.5, "high": 1.0})
    (_, accuracy) = compare([strict], [strict])
    assert accuracy.how == "paired"  # so the predictions gave the reported number


def test_the_same_sides_give_the_same_numbers() -> None:
    pair = [model(cases.predictions(0.8))], [model(cases.predictions(1.1))]
    assert compare(*pair) == compare(*pair)


@pytest.mark.slow
def test_equal_skill_is_called_a_difference_as_seldom_as_promised() -> None:
    """Of 300 pairs of equal skill about one in twenty has p below 0.05: 3 to 7 % would be usual."""
    alarms = 0
    for i in range(300):
        pair = [model(cases.predictions(0.8, shift=i, noise=n)) for n in (2 * i, 2 * i + 1)]
        alarms += compare([pair[0]], [pair[1]])[0].p < differences.ALPHA
    assert 6 <= alarms <= 26
