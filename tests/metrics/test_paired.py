"""Paired: differences of models on the same images, corrected, and refused where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.metrics import auroc, delong, headlines, holm, paired
from cxr.metrics.scored import Scored
from tests.metrics import cases


def _models() -> dict[str, Scored]:
    """A model, its twin, and one that says less."""
    good = cases.scored(200)
    rng = seeding.stream(9, "worse")
    weak = cases.scored(200, scores_NL=rng.dirichlet(np.ones(3), 200))
    return {"good": good, "twin": good, "weak": weak}


def _differences(models: dict[str, Scored], samples: int = 80):
    rng = seeding.stream(1, "bootstrap")
    return paired.differences(models, list("abc"), samples=samples, confidence=0.95, rng=rng)


def test_every_pair_and_metric_stands_once_in_the_order_of_the_models() -> None:
    table = _differences(_models())
    assert list(table.columns) == list(paired.COLUMNS)
    assert [*zip(table["first"], table["second"], strict=True)][::6] == [
        ("good", "twin"), ("good", "weak"), ("twin", "weak"),
    ]  # fmt: skip
    assert table["label"].tolist()[:6] == ["", "", "", "a", "b", "c"]
    assert len(table) == 18


def test_a_twin_differs_nowhere_and_the_weak_one_everywhere() -> None:
    table = _differences(_models()).set_index(["first", "second", "metric", "label"])
    twins = table.loc[("good", "twin")]
    assert (twins[["difference", "low", "high"]] == 0).all(axis=None)
    assert (twins[["p", "p_holm"]] == 1).all(axis=None)
    worse = table.loc[("good", "weak", "auroc", "")]
    assert 0 < worse["low"] < worse["difference"] < worse["high"]
    assert worse["p"] <= worse["p_holm"] < 0.01


def test_values_are_those_of_the_models_and_p_values_those_of_their_sources() -> None:
    models = _models()
    table = _differences(models).set_index(["first", "second", "metric", "label"])
    good, weak = (headlines.values(models[name]) for name in ("good", "weak"))
    for metric in paired.METRICS:
        place = headlines.HEADLINES.index(metric)
        value = table.loc[("good", "weak", metric, ""), "difference"]
        assert value == pytest.approx(good[place] - weak[place], abs=1e-6)
    truth = models["good"].labels_NL[:, 1]
    scores = np.stack([models[name].scores_NL[:, 1] for name in ("good", "weak")])
    row = table.loc[("good", "weak", "auroc", "b")]
    assert row["p_delong"] == pytest.approx(delong.areas(truth, scores).p_value(0, 1), abs=1e-6)
    gap = auroc.auroc(truth, scores[0]) - auroc.auroc(truth, scores[1])
    assert row["difference"] == pytest.approx(float(gap), abs=1e-6)


def test_each_family_is_corrected_by_itself() -> None:
    table = _differences(_models())
    for of_label in (table["label"] == "", table["label"] != ""):
        family = table[of_label & (table["metric"] == "auroc")]
        np.testing.assert_allclose(
            family["p_holm"], holm.adjusted(family["p"].to_numpy()), atol=1e-5
        )
    whole = table[table["label"] == ""]
    assert whole[["p_delong", "p_delong_holm"]].isna().all(axis=None)
    assert table[["p", "p_holm"]].min(axis=None) >= paired.LEAST_P


def test_equal_models_are_told_apart_as_rarely_as_promised() -> None:
    alarms = 0
    for trial in range(300):
        rng = seeding.stream(trial, "equal")
        truth = np.eye(2)[rng.integers(0, 2, 160)]
        shared = truth + rng.normal(size=(160, 2))
        pair = {
            name: cases.scored(
                160, labels_NL=truth, scores_NL=shared + rng.normal(size=(160, 2)),
                decided_NL=truth == 1,
            )
            for name in ("one", "other")
        }  # fmt: skip
        table = paired.differences(pair, ["a", "b"], samples=150, confidence=0.95, rng=rng)
        alarms += bool((table[table["label"] == "a"]["p"] < 0.05).any())
    assert 0.015 <= alarms / 300 <= 0.085


def test_models_of_other_images_are_refused() -> None:
    models = _models()
    models["twin"] = cases.scored(200, seed=2)
    with pytest.raises(ValueError, match="good and twin were judged by different images or labels"):
        _differences(models)
    with pytest.raises(ValueError, match="two models or more, not 1"):
        _differences({"good": models["good"]})
