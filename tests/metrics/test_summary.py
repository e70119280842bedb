"""The tree of results: contents, undefined values, folds and sources."""

import json

import numpy as np
import pytest
from sklearn import metrics

from cxr import artifacts, seeding
from cxr.metrics import auroc, classification, summary
from cxr.metrics.scored import Scored
from tests.metrics import cases
from tests.metrics.cases import scored as _scored


def _summarise(scored, names="abc", samples=60, **options):
    return summary.tree(cases.measure(scored, names, samples=samples, **options))


def test_every_headline_lies_within_its_interval_and_the_tree_is_json():
    result = _summarise(_scored())
    for name in summary.HEADLINES:
        assert 0 < result[name]["low"] < result[name]["value"] < result[name]["high"] <= 1
    assert (result["images"], result["patients"]) == (120, 60)
    assert result["bootstrap"] == {"samples": 60, "left_out": {}}
    assert sum(map(sum, result["confusion"])) == 120
    assert result["per_label"]["b"]["support"] == sum(result["confusion"][1])
    assert json.loads(artifacts.canonical_json(result)) == result


def test_the_same_bytes_twice():
    first, second = (artifacts.canonical_json(_summarise(_scored())) for _ in range(2))
    assert first == second
    assert first != artifacts.canonical_json(_summarise(_scored(seed=2)))


def test_a_label_nobody_has_is_none_and_leaves_the_averages_defined():
    scored = _scored()
    labels = np.column_stack([scored.labels_NL, np.zeros(120)])
    scores = np.column_stack([scored.scores_NL, np.full(120, 0.01)])
    wider = _scored(labels_NL=labels, scores_NL=scores, decided_NL=classification.highest(scores))
    result, without = _summarise(wider, "abcd"), _summarise(scored)
    assert result["per_label"]["d"] == {
        "support": 0, "precision": None, "recall": None, "specificity": None, "f1": None,
        **{key: {"value": None, "low": None, "high": None} for key in ("auroc", "average_precision")},
    }  # fmt: skip
    assert result["bootstrap"]["left_out"] == {"d": 60}
    for name in summary.HEADLINES:
        assert result[name] == without[name]


def test_resamples_that_lose_a_rare_class_are_counted():
    scored = _scored(images=40)
    labels = scored.labels_NL.copy()
    labels[:, 2] = 0
    labels[:, 1] = 1 - labels[:, 0]
    labels[0] = [0, 0, 1]
    left_out = _summarise(_scored(images=40, labels_NL=labels))["bootstrap"]["left_out"]
    assert left_out["c"] == left_out["auroc"] == left_out["macro_f1"]
    assert 5 < left_out["c"] < 40  # about 60 x (19/20)^20
    assert "accuracy" not in left_out


def test_combined_labels_are_counted_each_by_itself_without_the_unknown():
    rng = seeding.stream(4, "combined")
    labels = (rng.random((80, 2)) < 0.3).astype(float)
    labels[::4, 0] = np.nan
    scores = rng.random((80, 2)) * 0.5 + 0.5 * np.nan_to_num(labels)
    result = _summarise(
        _scored(
            images=80, labels_NL=labels, scores_NL=scores, decided_NL=scores >= 0.5, exclusive=False
        ),
        "ab",
    )
    for i, found in enumerate(result["confusion"]):
        known = np.isfinite(labels[:, i])
        wanted = metrics.confusion_matrix(labels[known, i], scores[known, i] >= 0.5, labels=[1, 0])
        assert np.array_equal(found, wanted)
    assert result["per_label"]["a"]["support"] == np.nansum(labels[:, 0])
    rates = np.nanmean(labels, axis=0)
    assert result["chance"]["accuracy"] == pytest.approx(
        np.maximum(rates, 1 - rates).mean(), abs=1e-6
    )


def test_folds_and_sources_stand_by_themselves():
    result = _summarise(_scored())
    assert [fold["images"] for fold in result["per_fold"].values()] == [60, 60]
    assert list(result["per_source"]) == ["one", "other"]
    assert result["per_source"]["one"]["auroc"] is None  # only one class comes from there
    assert result["per_source"]["one"]["accuracy"] is not None


def test_networks_of_a_mean_stand_by_themselves_and_change_nothing_else():
    alone = [_scored(seed=seed) for seed in (1, 2)]
    whole = _scored(folds_N=np.full(120, summary.ENSEMBLE))
    twice = [np.concatenate([getattr(one, key) for one in alone])
             for key in ("labels_NL", "scores_NL", "decided_NL", "patients_N", "sources_N")]  # fmt: skip
    members = Scored(
        labels_NL=twice[0], scores_NL=twice[1], decided_NL=twice[2], patients_N=twice[3],
        sources_N=twice[4], folds_N=np.repeat([0, 1], 120), exclusive=True,
    )  # fmt: skip
    result = summary.tree(cases.measure(whole), members=members)
    plain = _summarise(_scored())
    assert result.pop("ensemble") == 2
    found, per_fold = result.pop("members"), plain.pop("per_fold")
    assert result == plain and len(per_fold) == 2
    for one, own in zip(alone, found.values(), strict=True):
        values = _summarise(one)
        assert own == {"images": 120, **{key: values[key]["value"] for key in summary.HEADLINES}}


def test_chance_is_the_majority_rate():
    scored = _scored()
    share = scored.labels_NL.mean(axis=0).max()
    assert _summarise(scored)["chance"] == {
        "accuracy": pytest.approx(share, abs=1e-6),
        "auroc": 0.5,
    }


def test_the_intervals_of_calibration_stand_beside_its_values():
    found = _summarise(_scored())["calibration"]
    assert found["brier_low"] < found["brier"] < found["brier_high"]
    assert (
        found["ece_low"] < found["ece_high"]
    )  # each resample has it too high: its value may lie below


def test_an_operating_point_says_what_its_thresholds_give():
    points = {"youden": np.array([[0.3, 0.4, np.nan], [0.35, 0.4, 0.2]])}
    case = _scored()
    found = _summarise(case, points=points)["operating_points"]["youden"]
    assert found["thresholds"] == {"a": [0.3, 0.35], "b": [0.4, 0.4], "c": [None, 0.2]}
    decided = case.scores_NL >= points["youden"][case.folds_N]
    counts = classification.count(case.labels_NL, decided)
    wanted = {"sensitivity": counts.recall, "specificity": counts.specificity}
    for key, rates in wanted.items():
        assert found[key]["value"] == pytest.approx(rates[:2].mean(), abs=1e-6)
        assert found[key]["low"] < found[key]["value"] < found[key]["high"]


def test_the_worst_group_is_the_one_that_loses_most_and_the_small_are_named():
    rng = seeding.stream(5, "groups")
    case = _scored(240)
    blurred = np.where(np.arange(240)[:, None] % 2, case.scores_NL, rng.random((240, 3)))
    case = _scored(240, scores_NL=blurred)
    odd = np.where(np.arange(240) % 2, "AP", "PA")
    few = np.where(np.arange(240) < 6, "tiny", "rest")
    found = _summarise(case, attributes={"view": odd, "few": few})["subgroups"]
    worst = found["worst"]["view"]
    assert (worst["group"], worst["compared"]) == ("PA", 2)
    own = auroc.per_label(case.labels_NL[::2], case.scores_NL[::2]).mean()
    every = auroc.per_label(case.labels_NL, case.scores_NL).mean()
    assert worst["auroc"]["value"] == pytest.approx(own, abs=1e-6)
    assert worst["to_all"]["value"] == pytest.approx(own - every, abs=2e-6)
    assert worst["to_all"]["high"] < 0  # noise on one side is no chance
    assert found["left_out"] == ["few rest: no other group", "few tiny: too few patients"]
    assert list(found["worst"]) == ["view"]


def test_a_line_for_dvc_has_headlines_in_three_digits_and_costs():
    result = _summarise(_scored()) | {"parameters": 7, "macs": 9, "weights_bytes": 11}
    result["macro_f1"]["value"] = None
    found = summary.short(result)
    assert found["auroc"] == pytest.approx(result["auroc"]["value"], abs=0.0005)
    assert list(found) == [*summary.HEADLINES, "parameters", "macs"]
    assert (found["macro_f1"], found["parameters"], found["macs"]) == (None, 7, 9)
    assert all(len(str(found[key])) <= 5 for key in ("accuracy", "balanced_accuracy", "auroc"))
