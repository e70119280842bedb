"""The tree of results: contents, undefined values, folds and sources."""

import json

import numpy as np
import pytest

from cxr import artifacts, seeding
from cxr.metrics import classification, summary


def _scored(images=120, seed=1, **changes):
    rng = seeding.stream(seed, "summary")
    classes = rng.integers(0, 3, images)
    scores = rng.random((images, 3)) + np.eye(3)[classes] / 3
    scores /= scores.sum(axis=1, keepdims=True)
    fields = {
        "labels_NL": np.eye(3)[classes],
        "scores_NL": scores,
        "decided_NL": classification.highest(scores),
        "patients_N": np.array([f"p{i // 2}" for i in range(images)]),
        "folds_N": np.arange(images) // 2 % 2,
        "sources_N": np.where(classes == 0, "one", "other"),
        "exclusive": True,
    }
    return summary.Scored(**{**fields, **changes})


def _summarise(scored, names=("a", "b", "c"), samples=60):
    rng = seeding.stream(3, "bootstrap")
    return summary.summarise(scored, names, samples=samples, confidence=0.95, rng=rng)


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
        "support": 0, "precision": None, "recall": None, "f1": None,
        "auroc": {"value": None, "low": None, "high": None},
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


def test_combined_labels_have_no_confusion_and_ignore_the_unknown():
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
    assert result["confusion"] is None
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
    members = summary.Scored(
        labels_NL=twice[0], scores_NL=twice[1], decided_NL=twice[2], patients_N=twice[3],
        sources_N=twice[4], folds_N=np.repeat([0, 1], 120), exclusive=True,
    )  # fmt: skip
    rng = seeding.stream(3, "bootstrap")
    result = summary.summarise(whole, "abc", samples=60, confidence=0.95, rng=rng, members=members)
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
