"""What is kept of trained networks: the model, curves of every fold, and means of the kept epochs."""

from __future__ import annotations

import dataclasses

import pytest

from cxr import artifacts
from cxr.training import loop, models, outcome
from cxr.training.network import build
from tests.training.recipes import tiny


def test_summary_is_the_mean_over_folds_of_the_kept_epoch():
    line = loop.Epoch(
        epoch=0, learning_rate=0.1, train_loss=1.0, val_loss=0.5, val_auroc=0.8, val_accuracy=0.7
    )
    better = dataclasses.replace(line, epoch=1, val_auroc=1.0)
    fitted = [loop.Fitted({}, 0, [line, better]), loop.Fitted({}, 1, [line, better])]
    summary = outcome.summarise(fitted)
    assert summary["val_auroc"] == pytest.approx(0.9) and summary["best_epoch"] == 0.5


def test_model_and_report_are_written_and_said_in_a_line(tmp_path):
    recipe = tiny()
    line = loop.Epoch(
        epoch=0, learning_rate=0.1, train_loss=1.0, val_loss=0.5, val_auroc=0.8, val_accuracy=0.7
    )
    trained = [
        models.Saved(
            loop.Fitted(build(recipe, labels=2, seed=fold, fold=fold).state_dict(), 0, [line]),
            {}, {}, 1.0,
        )
        for fold in range(2)
    ]  # fmt: skip
    said = outcome.keep(
        trained, recipe, labels=["a", "b"], size_px=32,
        model=tmp_path / "model", report=tmp_path / "report", words="transfer@model",
    )  # fmt: skip
    about = models.config(tmp_path / "model")
    assert said == (
        f"2 network(s) of {about['parameters']:,} parameters, val AUROC 0.800, val accuracy 0.700"
    )
    metrics = artifacts.read_json(tmp_path / "report/metrics.json")
    assert metrics["macs"] == about["macs"] and "temperature" not in metrics
    history = artifacts.read_csv(tmp_path / "report/plots/history.csv")
    assert history["fold"].tolist() == [0, 1]
    assert (tmp_path / "report/plots/history.png").read_bytes().startswith(b"\x89PNG")
