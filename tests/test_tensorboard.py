"""TensorBoard gets every recorded curve, the figures of each model, and its recipe beside its metrics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cxr import artifacts, tensorboard
from tests.report import cases

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PARAMS = {
    "study": "toy", "seed": 1,
    "transfer": {"recipes": {"small": {"epochs": 2, "mixup": 0.0, "trainable": ["all"], "weights": None, "head": {"kind": "linear"}}}},
}  # fmt: skip


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """One run of two folds, and one evaluated model with its figures."""
    reports = tmp_path / "reports"
    history = pd.DataFrame(
        {
            "fold": [0, 0, 1, 1], "epoch": [0, 1, 0, 1], "learning_rate": 0.1,
            "train_loss": [0.9, 0.5, 0.8, 0.4], "val_auroc": [0.6, 0.7, None, 0.8],
        }
    )  # fmt: skip
    artifacts.write_csv(reports / "transfer/small/plots/history.csv", history)
    artifacts.write_json(reports / "evaluate/small/metrics.json", cases.result())
    for name in ("confusion", "roc"):
        artifacts.write_bytes(reports / f"evaluate/small/plots/{name}.png", cases.png(16))
    return reports


def events(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def points(found, tag: str) -> list[tuple[int, float]]:
    return [(point.step, round(point.value, 6)) for point in found.Scalars(tag)]


def test_each_fold_is_a_line_and_an_unknown_value_no_point(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = tensorboard.write(reports, PARAMS, out)
    assert written == ["transfer/small/fold_0", "transfer/small/fold_1", "evaluate/small"]
    first, second = (events(out / f"transfer/small/fold_{fold}") for fold in (0, 1))
    assert points(first, "train/loss") == [(0, 0.9), (1, 0.5)]
    assert points(second, "val/auroc") == [(1, 0.8)]
    assert sorted(first.Tags()["scalars"]) == ["schedule/learning_rate", "train/loss", "val/auroc"]


def test_a_model_has_its_confusion_matrix_metrics_and_recipe(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tensorboard.write(reports, PARAMS, out)
    found = events(out / "evaluate/small")
    assert found.Tags()["images"] == ["test/confusion", "test/roc"]
    (picture,) = found.Images("test/confusion")
    assert (picture.width, picture.height) == (32, 16)
    assert points(found, "test/auroc") == [(0, 0.9)]
    recipe = found.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    for words in (b"epochs", b"head.kind", b"linear", b"mixup", b"trainable", b"study"):
        assert words in recipe
    assert b"weights" not in recipe  # null is no value


def test_events_of_an_earlier_call_are_gone(reports: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    artifacts.write_text(out / "transfer/removed/events.out.tfevents.1", "")
    tensorboard.write(reports, PARAMS, out)
    assert not (out / "transfer/removed").exists()


def test_nothing_recorded_is_said(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="holds no curve and no evaluation: run `make repro` first"
    ):
        tensorboard.write(tmp_path / "reports", PARAMS, tmp_path / "out")
