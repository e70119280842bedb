"""evaluate: pooling over folds, thresholds from val only, the same bytes twice."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, seeding
from stages import evaluate as stage

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


def _evaluate(predictions, thresholds=None):
    rng = seeding.stream(1, "bootstrap")
    return stage.evaluate(predictions, thresholds, settings=SETTINGS, rng=rng)


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
    case = stage.scored(predictions, all_then_none)
    np.testing.assert_array_equal(case.decided_NL.all(axis=1), predictions["fold"] == 0)
    assert _evaluate(predictions, all_then_none)["confusion"] is None


def test_two_labels_at_once_need_the_loss_for_that():
    predictions = _predictions()
    predictions.loc[0, ["label:a", "label:b"]] = 1.0
    with pytest.raises(ValueError, match=r"1 of 60 images do not have exactly one label.*bce"):
        _evaluate(predictions)


def test_the_same_bytes_twice(tmp_path):
    predictions = _predictions()
    for name in ("first", "second"):
        result = _evaluate(predictions) | {"labels": ["a", "b"]}
        stage.draw(tmp_path / name, result, stage.scored(predictions, None), model="toy")
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
    found, thresholds = stage.predict(
        Path("data/models/toy"), Path("x"), index, splits, loss="cross_entropy"
    )
    assert calls == [("toy", 0, [0, 1, 2, 3]), ("toy", 1, [8, 9, 10, 11])]
    assert thresholds is None
    assert list(found.columns) == [
        "image", "patient", "source", "fold", "label:a", "label:b", "score:a", "score:b",
    ]  # fmt: skip
    assert found["fold"].tolist() == [0] * 4 + [1] * 4
    np.testing.assert_allclose(found["score:a"], [0, 0.01, 0.02, 0.03, 0.58, 0.59, 0.6, 0.61])


def test_thresholds_come_from_val_and_do_not_move_with_test_labels(calls):
    index = _index()
    splits = _splits(index, ["test"] * 4 + ["val"] * 8)
    _, thresholds = stage.predict(Path("m"), Path("x"), index, splits, loss="bce")
    changed = index.copy()
    changed.loc[:3, ["label:a", "label:b"]] = 1 - changed.loc[:3, ["label:a", "label:b"]]
    _, again = stage.predict(Path("m"), Path("x"), changed, splits, loss="bce")
    assert thresholds.shape == (1, 2)
    np.testing.assert_array_equal(thresholds, again)
    changed.loc[4:, "label:a"] = 0.0
    _, moved = stage.predict(Path("m"), Path("x"), changed, splits, loss="bce")
    assert moved[0, 0] == 0.5 != thresholds[0, 0]


def test_a_fold_without_test_images_is_named(calls):
    index = _index()
    with pytest.raises(ValueError, match=r"no image in test of fold_0: raise split\.fractions"):
        stage.predict(
            Path("m"), Path("x"), index, _splits(index, ["train"] * 12), loss="cross_entropy"
        )


@pytest.mark.parametrize(
    ("samples", "confidence", "words"),
    [(0, 0.9, "bootstrap_samples"), (10, 95.0, "between 0 and 1")],
)
def test_parameters_out_of_range_are_refused(samples, confidence, words):
    with pytest.raises(ValueError, match=words):
        stage.Params(bootstrap_samples=samples, confidence=confidence)
