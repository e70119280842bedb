"""Predictions read back: the very scores, decided as evaluate did, and nothing half there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, seeding
from cxr.metrics import intervals, scored
from cxr.metrics.headlines import Headlines
from stages import _predictions as predictions

NAMES = ["a", "b"]


def _table(images: int = 24, seed: int = 1) -> pd.DataFrame:
    rng = seeding.stream(seed, "predictions")
    labels = rng.integers(0, 2, (images, 2)).astype(float)
    scores = ((labels + rng.random((images, 2))) / 2).astype(np.float32)
    table = {"image": [f"t/{i:02d}.png" for i in range(images)],
             "patient": [str(i // 2) for i in range(images)], "source": "NA",
             "fold": np.arange(images) % 2}  # fmt: skip
    table |= {f"label:{name}": labels[:, i] for i, name in enumerate(NAMES)}
    return pd.DataFrame(table | {f"score:{name}": scores[:, i] for i, name in enumerate(NAMES)})


def _result(**changes: Any) -> dict[str, Any]:
    thresholds = {"a": [0.4, 0.5], "b": [0.6, 0.3]}
    found = {"images": 24, "labels": NAMES, "thresholds": thresholds, "confidence": 0.9}
    return {**found, "bootstrap": {"samples": 20, "left_out": {}}, **changes}


def _write(folder: Path, table: pd.DataFrame) -> None:
    artifacts.write_csv(folder / "plots/predictions.csv", table)


def test_what_is_read_is_what_evaluate_scored_and_decided(tmp_path: Path) -> None:
    _write(tmp_path, _table())
    found = predictions.read(tmp_path, _result())
    wanted = scored.from_table(_table(), np.array([[0.4, 0.6], [0.5, 0.3]]))
    np.testing.assert_array_equal(found.scores_NL, wanted.scores_NL)
    np.testing.assert_array_equal(found.decided_NL, wanted.decided_NL)
    assert found.patients_N.tolist() == wanted.patients_N.tolist()


def test_the_resamples_are_those_of_the_intervals(tmp_path: Path) -> None:
    for seed, name in enumerate(("one", "other")):
        table = _table(seed=1)
        table["score:a"] = _table(seed=seed + 1)["score:a"]
        _write(tmp_path / name, table)
    results = {"one": _result(), "other": _result()}
    found = predictions.differences(results, tmp_path, seed=5)
    assert found is not None
    pair = [predictions.read(tmp_path / name, _result()) for name in results]
    rng = seeding.stream(5, "evaluate", "bootstrap")  # as stages.evaluate draws them
    (weights,) = intervals.resamples(pair[0].patients_N, samples=20, rng=rng)
    one, other = (Headlines(model)(weights)[:, 3] for model in pair)
    wanted = intervals.percentile(one - other, confidence=0.9)
    row = found[(found["metric"] == "auroc") & (found["label"] == "")].iloc[0]
    assert row["low"] == pytest.approx(wanted.low, abs=1e-6)
    assert row["high"] == pytest.approx(wanted.high, abs=1e-6)


def test_a_table_that_is_missing_or_of_another_run_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"predictions\.csv is missing: run `dvc repro evaluate`"):
        predictions.read(tmp_path, _result())
    _write(tmp_path, _table(20))
    with pytest.raises(ValueError, match=r"has 20 images and a, b, metrics.json beside it 24 and"):
        predictions.read(tmp_path, _result())


def test_one_model_is_compared_with_nothing(tmp_path: Path) -> None:
    assert predictions.differences({"one": _result()}, tmp_path, seed=1) is None
