"""evaluate: pooling over folds or their mean, thresholds from val only, the same bytes twice."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, numerics, prepared, seeding
from cxr.metrics import auroc, classification, summary, thresholds
from cxr.training import loop, models
from cxr.training.network import build
from stages import evaluate as stage
from tests.architectures import cases
from tests.training.recipes import tiny

numerics.exact_torch()
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = stage.Params(bootstrap_samples=30, confidence=0.9)


def _predictions(images=60, *, exclusive=True):
    rng = seeding.stream(1, "predictions")
    truth = np.eye(2)[np.arange(images) % 2]
    if not exclusive:
        truth = (rng.random((images, 2)) < 0.4).astype(float)
    scores = (rng.random((images, 2)) + truth) / 2
    table = {
        "image": [f"toy/{i:03d}.png" for i in range(images)],
        "patient": [f"p{i // 2}" for i in range(images)],
        "source": np.where(np.arange(images) % 3, "here", ""),
        "fold": np.arange(images) // 2 % 2,
    }
    table |= {f"label:{name}": truth[:, i] for i, name in enumerate("ab")}
    return pd.DataFrame(table | {f"score:{name}": scores[:, i] for i, name in enumerate("ab")})


def _predicted(predictions, thresholds_FL=None):
    return stage.Predicted(table=predictions, thresholds_FL=thresholds_FL)


def _measure(predictions, thresholds_FL=None):
    rng = seeding.stream(1, "bootstrap")
    index = predictions.assign(view="", age_years=np.nan, sex="")
    return stage.evaluate(_predicted(predictions, thresholds_FL), index, settings=SETTINGS, rng=rng)


def _evaluate(predictions, thresholds_FL=None):
    return summary.tree(_measure(predictions, thresholds_FL))


def test_the_highest_score_decides_without_thresholds():
    predictions = _predictions()
    result = _evaluate(predictions)
    right = (predictions["score:a"] >= predictions["score:b"]) == (predictions["label:a"] == 1)
    assert result["accuracy"]["value"] == pytest.approx(right.mean(), abs=1e-6)
    assert (result["images"], result["patients"], result["confidence"]) == (60, 30, 0.9)
    assert list(result["per_source"]) == ["here", "unknown"]


def test_each_fold_decides_by_its_own_thresholds():
    predictions = _predictions(exclusive=False)
    all_then_none = np.array([[0.0, 0.0], [1.1, 1.1]])
    case = stage.scored(_predicted(predictions, all_then_none))
    np.testing.assert_array_equal(case.decided_NL.all(axis=1), predictions["fold"] == 0)
    found = _evaluate(predictions, all_then_none)["confusion"]
    labels = predictions[["label:a", "label:b"]].to_numpy() == 1
    first = (predictions["fold"] == 0).to_numpy()
    for (found_missed, alarm_cleared), present in zip(found, labels.T, strict=True):
        assert found_missed == [(present & first).sum(), (present & ~first).sum()]
        assert alarm_cleared == [(~present & first).sum(), (~present & ~first).sum()]


def test_labels_that_combine_have_the_same_files(tmp_path):
    predictions = _predictions(exclusive=False)
    halves = np.full((2, 2), 0.5)
    result = _evaluate(predictions, halves) | {"labels": ["a", "b"]}
    stage.draw(tmp_path, result, stage.scored(_predicted(predictions, halves)), model="toy")
    assert {x.name for x in tmp_path.iterdir()} == {"roc.png", "confusion.png", "reliability.png", "reliability.csv"}  # fmt: skip


def test_two_labels_at_once_need_the_loss_for_that():
    predictions = _predictions()
    predictions.loc[0, ["label:a", "label:b"]] = 1.0
    with pytest.raises(ValueError, match=r"1 of 60 images do not have exactly one label.*bce"):
        _evaluate(predictions)


def test_the_same_bytes_twice(tmp_path):
    predictions = _predictions()
    for name in ("first", "second"):
        result = _evaluate(predictions) | {"labels": ["a", "b"]}
        stage.draw(tmp_path / name, result, stage.scored(_predicted(predictions)), model="toy")
        artifacts.write_json(tmp_path / name / "metrics.json", result)
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert set(first) == {
        "roc.png", "confusion.png", "reliability.png", "reliability.csv", "metrics.json",
    }  # fmt: skip
    for name, content in first.items():
        assert (tmp_path / "second" / name).read_bytes() == content, name


def _index(images=12):
    return _predictions(images, exclusive=False).drop(columns=["fold", "score:a", "score:b"])


def _splits(index, *folds):
    table = {"image": index["image"][::-1], "group": index["patient"][::-1]}
    return pd.DataFrame(table | {f"fold_{i}": list(parts)[::-1] for i, parts in enumerate(folds)})


@pytest.fixture
def calls(monkeypatch):
    """Let a network that answers with the fold's number stand in; note what it was asked."""
    from cxr.training import models

    asked = []

    def score_fold(task):
        folder, fold, _, rows = task
        asked.append((folder.name, fold, rows.tolist()))
        base = np.asarray(rows, np.float32)[:, None] / 100
        return np.hstack([base + fold / 2, base]).astype(np.float32)

    monkeypatch.setenv("CXR_WORKERS", "1")
    monkeypatch.setattr(models, "score_fold", score_fold)
    return asked


def test_test_images_are_scored_by_the_network_of_their_fold(calls):
    index = _index()
    splits = _splits(index, ["test"] * 4 + ["train"] * 8, ["train"] * 8 + ["test"] * 4)
    predicted, members = stage.predict(
        Path("data/models/toy"), Path("x"), index, splits, loss="cross_entropy"
    )
    found = predicted.table
    assert calls == [("toy", 0, [0, 1, 2, 3]), ("toy", 1, [8, 9, 10, 11])]
    assert predicted.thresholds_FL is None and members is None
    assert list(found.columns) == [
        "image", "patient", "source", "fold", "label:a", "label:b", "score:a", "score:b",
    ]  # fmt: skip
    assert found["fold"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(found["score:a"], [0, 0.01, 0.02, 0.03, 0.58, 0.59, 0.6, 0.61])


def _thresholds(index, splits, loss="bce"):
    predicted, _ = stage.predict(Path("m"), Path("x"), index, splits, loss=loss)
    return predicted.thresholds_FL


def test_thresholds_come_from_val_and_do_not_move_with_test_labels(calls):
    index = _index()
    splits = _splits(index, ["test"] * 4 + ["val"] * 8)
    found = _thresholds(index, splits)
    changed = index.copy()
    changed.loc[:3, ["label:a", "label:b"]] = 1 - changed.loc[:3, ["label:a", "label:b"]]
    again = _thresholds(changed, splits)
    assert found.shape == (1, 2)
    np.testing.assert_array_equal(found, again)
    changed.loc[4:, "label:a"] = 0.0
    moved = _thresholds(changed, splits)
    assert moved[0, 0] == 0.5 != found[0, 0]


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_operating_points_come_from_val_and_do_not_move_with_test_labels(calls, loss):
    index = _index()
    splits = _splits(index, ["test"] * 4 + ["val"] * 8)
    changed = index.copy()
    changed.loc[:3, ["label:a", "label:b"]] = 1 - changed.loc[:3, ["label:a", "label:b"]]
    (one, _), (other, _) = (
        stage.predict(Path("m"), Path("x"), table, splits, loss=loss) for table in (index, changed)
    )
    assert sorted(one.points) == sorted(thresholds.RULES)
    labels = index[["label:a", "label:b"]].to_numpy()[4:]
    scores = np.repeat(np.arange(4, 12, dtype=np.float32)[:, None] / 100, 2, axis=1)
    for rule, found in one.points.items():
        assert found.shape == (1, 2)
        np.testing.assert_array_equal(found[0], thresholds.choose(labels, scores, rule=rule))
        np.testing.assert_array_equal(found, other.points[rule])


def test_without_val_images_in_every_fold_there_is_no_operating_point(calls):
    index = _index()
    splits = _splits(index, ["test"] * 4 + ["val"] * 8, ["train"] * 8 + ["test"] * 4)
    found, _ = stage.predict(Path("m"), Path("x"), index, splits, loss="cross_entropy")
    assert found.points == {} and {fold for _, fold, _ in calls} == {0, 1}
    with pytest.raises(ValueError, match=r"no image in val of fold_1: raise split\.fractions"):
        stage.predict(Path("m"), Path("x"), index, splits, loss="bce")


def test_the_groups_of_an_image_are_those_of_the_index_whatever_its_order():
    predictions = _predictions()
    index = predictions[["image", "source"]].assign(
        view=["PA", "AP"] * 30, age_years=70.0, sex=["F"] * 30 + ["M"] * 30
    )
    settings = {"settings": SETTINGS, "rng": seeding.stream(1, "bootstrap")}
    found = stage.evaluate(_predicted(predictions), index.iloc[::-1], **settings)
    rows = {(group.attribute, group.name): group.rows_n.tolist() for group in found.groups}
    assert rows["sex", "F"] == list(range(30)) and rows["view", "PA"] == list(range(0, 60, 2))
    assert list(rows["age", "60-79"]) == list(range(60))


def test_a_fold_without_test_images_is_named(calls):
    index = _index()
    with pytest.raises(ValueError, match=r"no image in test of fold_0: raise split\.fractions"):
        stage.predict(
            Path("m"), Path("x"), index, _splits(index, ["train"] * 12), loss="cross_entropy"
        )


FOLDS, TESTED = 3, 12
MODEL, PREPARED = Path("data/models/toy"), Path("data/prepared")


@pytest.fixture
def around(tmp_path, monkeypatch):
    """Lay out prepared images, three folds around one test part and a model, as earlier stages do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    index = _index(48).assign(view="", age_years=np.nan, sex="")
    images = seeding.stream(1, "images").integers(0, 256, size=(48, 32, 32), dtype=np.uint8)
    prepared.write(PREPARED, images.__getitem__, index)
    turns = [
        ["test"] * TESTED + ["val" if i // 12 == fold else "train" for i in range(36)]
        for fold in range(FOLDS)
    ]
    artifacts.write_csv(Path("data/splits.csv"), _splits(index, *turns))
    artifacts.write_text(
        Path("params.yaml"), "seed: 7\nevaluate: {bootstrap_samples: 20, confidence: 0.9}\n"
    )
    small = cases.cells(cases.stage(width=8, depth=1), stem=8)
    recipe, members = tiny(backbone="searched", backbone_options=small, loss="bce"), []
    for fold in range(FOLDS):
        tensors = build(recipe, labels=2, seed=1, fold=fold).state_dict()
        tensors["head.1.weight"] *= 30  # networks that nobody trained say the same of every image
        fitted = loop.Fitted(dict(tensors), best_epoch=0, history=[])
        members.append(models.Saved(fitted, recipe.backbone_options, {}, 1.0))
    models.save(MODEL, recipe, members, labels=["a", "b"], size_px=32)
    return prepared.read(PREPARED).index


def _around(index, loss="bce"):
    splits = artifacts.read_csv(Path("data/splits.csv"))
    return stage.predict(MODEL, PREPARED, index, splits, loss=loss)


def _alone(rows):
    """What each network says of the rows, (folds, rows, labels)."""
    return [models.score_fold((MODEL, fold, PREPARED, rows)) for fold in range(FOLDS)]


@pytest.mark.parametrize("loss", ["cross_entropy", "bce", "asymmetric"])
def test_an_image_that_all_folds_test_has_the_mean_of_their_networks(around, loss):
    predicted, members = _around(around, loss)
    said = _alone(np.arange(TESTED))
    assert np.ptp(said, axis=0).max() > 0.1  # the networks differ
    mean_NL = (sum(scores.astype(np.float64) for scores in said) / FOLDS).astype(np.float32)
    scores = ["score:a", "score:b"]
    assert predicted.table["image"].tolist() == around["image"][:TESTED].tolist()
    assert set(predicted.table["fold"]) == {-1}
    np.testing.assert_array_equal(predicted.table[scores].to_numpy(), mean_NL)
    for fold, own in members.table.groupby("fold"):
        np.testing.assert_array_equal(own[scores].to_numpy(), said[fold])
    assert (predicted.thresholds_FL is None) == (loss == "cross_entropy")


def test_thresholds_of_a_mean_come_from_val_images_scored_by_who_did_not_train_on_them(around):
    predicted, members = _around(around)
    rows = np.arange(TESTED, 48)
    out_of_fold = np.stack(_alone(rows))[np.arange(36) // 12, np.arange(36)]
    truth = around[["label:a", "label:b"]].to_numpy()
    wanted = classification.best_thresholds(truth[rows], out_of_fold)
    assert predicted.thresholds_FL.shape == (1, 2) and members.thresholds_FL.shape == (FOLDS, 2)
    np.testing.assert_array_equal(predicted.thresholds_FL[0], wanted)
    decided = predicted.table[["score:a", "score:b"]].to_numpy() >= wanted
    np.testing.assert_array_equal(stage.scored(predicted).decided_NL, decided)
    changed = around.copy()
    changed.loc[: TESTED - 1, ["label:a", "label:b"]] = 1 - truth[:TESTED]
    again, alone = _around(changed)
    np.testing.assert_array_equal(again.thresholds_FL, predicted.thresholds_FL)
    np.testing.assert_array_equal(alone.thresholds_FL, members.thresholds_FL)
    changed.loc[TESTED:, "label:a"] = 0.0
    moved, _ = _around(changed)
    assert moved.thresholds_FL[0, 0] == 0.5 != predicted.thresholds_FL[0, 0]


def test_the_report_of_a_mean_holds_each_network_and_the_costs_of_all(around):
    assert stage.main("toy").startswith("12 images, mean of 3 networks: accuracy ")
    report = Path("reports/evaluate/toy")
    found, about = artifacts.read_json(report / "metrics.json"), models.config(MODEL)
    assert found["ensemble"] == found["folds"] == FOLDS and "per_fold" not in found
    assert found["images"] == TESTED and found["patients"] == TESTED // 2
    truth = around[["label:a", "label:b"]].to_numpy()[:TESTED]
    for scores, alone in zip(_alone(np.arange(TESTED)), found["members"].values(), strict=True):
        assert alone["auroc"] == pytest.approx(auroc.per_label(truth, scores).mean(), abs=1e-6)
        assert alone["images"] == TESTED
    assert [len(found["thresholds"][name]) for name in "ab"] == [1, 1]
    assert (found["parameters"], found["macs"]) == (3 * about["parameters"], 3 * about["macs"])
    largest = max(path.stat().st_size for path in MODEL.glob("*.safetensors"))
    assert found["weights_bytes"] == 3 * largest
    assert artifacts.read_csv(report / "plots/predictions.csv")["fold"].tolist() == [-1] * TESTED
    assert found["operating_points"]["youden"]["thresholds"].keys() == {"a", "b"}
    results = artifacts.read_csv(report / "plots/results.csv")
    assert set(results["decision"].dropna()) == {"best_f1", "sensitive", "youden"}
    assert set(artifacts.read_csv(report / "plots/subgroups.csv")["attribute"]) == {
        "age", "sex", "source", "view",
    }  # fmt: skip
    first = {path: path.read_bytes() for path in report.rglob("*.*")}
    subprocess.run(  # a process of its own: the workers of this one may have another folder
        [sys.executable, "-m", "stages.evaluate", "toy"],
        check=True, env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "2"},
    )  # fmt: skip
    assert {path: path.read_bytes() for path in report.rglob("*.*")} == first


def test_an_image_that_only_some_folds_test_is_refused(around):
    splits = artifacts.read_csv(Path("data/splits.csv"))
    splits.loc[splits["image"] == "toy/003.png", "fold_1"] = "train"
    with pytest.raises(ValueError, match=r"toy/000\.png is test in 3 of 3 folds, which not every"):
        stage.predict(MODEL, PREPARED, around, splits, loss="bce")


@pytest.mark.parametrize(
    ("samples", "confidence", "words"),
    [(0, 0.9, "bootstrap_samples"), (10, 95.0, "between 0 and 1")],
)
def test_parameters_out_of_range_are_refused(samples, confidence, words):
    with pytest.raises(ValueError, match=words):
        stage.Params(bootstrap_samples=samples, confidence=confidence)
