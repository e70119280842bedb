"""Two sides of a change as `flows.review` lays them out, small and made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxr import artifacts, seeding
from cxr.metrics import auroc, classification, scored

PARAMS = """\
study: toy
seed: {seed}
models: [small, large]
ingest: {{datasets: [toy]}}
transfer: {{recipes: {{small: {{epochs: {epochs}, widths: [8, 16]}}}}}}
"""
SEED_CAUSE = {"kind": "parameter", "what": "seed", "words": "seed: 1 → 2"}
EPOCHS_CAUSE = {"kind": "parameter", "what": "transfer.recipes.small.epochs", "words": "transfer.recipes.small.epochs: 4 → 8"}  # fmt: skip


def predictions(
    level: float, *, patients: int = 150, shift: int = 0, noise: int = 0
) -> pd.DataFrame:
    """Two images of each patient, two classes; `level` is how well they are told apart.

    Patients, labels and half of the noise are those of `shift`; the other half is that of `noise`.
    """
    rng = seeding.stream(shift, "truth")
    own = seeding.stream(noise, "own")
    truth_N = np.repeat(rng.integers(0, 2, patients), 2)
    names_N = np.repeat(np.arange(patients) + 1000 * shift, 2)
    common_N, own_N = rng.normal(size=2 * patients), own.normal(size=2 * patients)
    logit_N = level * (2 * truth_N - 1) + common_N + own_N
    score_N = np.round(1 / (1 + np.exp(-logit_N)), 6)
    return pd.DataFrame(
        {
            "image": [f"toy/p{name:05}_{i % 2}.png" for i, name in enumerate(names_N)],
            "patient": [f"toy:p{name:05}" for name in names_N],
            "source": "toy", "fold": 0, "label:ill": truth_N.astype(float),
            "label:well": 1.0 - truth_N, "score:ill": score_N, "score:well": 1 - score_N,
        }
    )  # fmt: skip


def metrics(rows: pd.DataFrame, **changes: Any) -> dict[str, Any]:
    """What evaluate reports of these predictions, in short; the intervals are made up."""
    found = scored.from_table(rows, None)
    values = {
        "auroc": float(auroc.macro(found.labels_NL, found.scores_NL)),
        "accuracy": classification.accuracy(found.labels_NL, found.scores_NL),
    }
    whole = {
        name: {"value": round(value, 6), "low": round(value - 0.04, 6), "high": round(value + 0.04, 6)}
        for name, value in values.items()
    }  # fmt: skip
    return {
        **whole, "loss": "cross_entropy", "thresholds": None, "confidence": 0.95,
        "parameters": 1000, "macs": 50_000, "weights_bytes": 4096, "labels": ["ill", "well"],
        "calibration": {"ece": 0.05, "brier": 0.2}, "macro_f1": whole["accuracy"], **changes,
    }  # fmt: skip


def side(
    folder: Path, models: dict[str, pd.DataFrame], *, seed: int = 1, epochs: int = 4, images: int = 300
) -> Path:  # fmt: skip
    """Write one side's parameters and reports."""
    artifacts.write_text(folder / "params.yaml", PARAMS.format(seed=seed, epochs=epochs))
    for name, rows in models.items():
        report = folder / "reports/evaluate" / name
        artifacts.write_json(report / "metrics.json", metrics(rows))
        artifacts.write_csv(report / "plots/predictions.csv", rows)
    history = pd.DataFrame({"fold": [0, 0], "epoch": [0, 1], "val_loss": [0.9, 0.5 + seed / 10], "val_auroc": [0.6, 0.8]})  # fmt: skip
    artifacts.write_csv(folder / "reports/transfer/small/plots/history.csv", history)
    summary = {"images": images, "patients": images // 2, "labels": {"ill": 10}, "findings": []}
    artifacts.write_json(folder / "reports/validate/summary.json", summary)
    part = {"images": 40, "groups": 20, "labels": {"ill": 4}}
    artifacts.write_json(folder / "reports/split/metrics.json", {"folds": {"fold_0": {"test": part}}})  # fmt: skip
    return folder


def stage(name: str, *direct: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A changed stage, as flows/changes.py tells it."""
    return {
        "stage": name, "kind": "changed", "direct": list(direct), "upstream": [], "after": [],
        "outputs": [f"data/{name}"], **changes,
    }  # fmt: skip


def changes(folder: Path, *stages: dict[str, Any], **others: Any) -> Path:
    """Write changes.json beside both sides; return the folder."""
    about = {
        "base": {"commit": "a" * 40, "subject": "the old", "name": "main", "uncommitted": False},
        "head": {"commit": "b" * 40, "subject": "the <new> | one", "name": "b" * 10, "uncommitted": False},
        "apart": 0, "stale": {"base": [], "head": []}, "same": 3, "stages": list(stages),
        "data": {"base": {"data/raw/toy": "a" * 32}, "head": {"data/raw/toy": "b" * 32}}, **others,
    }  # fmt: skip
    (folder / "changes.json").write_text(json.dumps(about))
    return folder


def better(folder: Path) -> Path:
    """A change of one parameter: `small` is much better on the same images, `large` is the same."""
    large = predictions(1.5)
    side(folder / "base", {"small": predictions(0.3), "large": large})
    side(folder / "head", {"small": predictions(2.0), "large": large}, epochs=8)
    return changes(
        folder,
        stage("transfer@small", EPOCHS_CAUSE),
        stage("evaluate@small", upstream=["transfer@small"], after=["transfer@small"], outputs=[]),
    )


def reseeded(folder: Path) -> Path:
    """A change of the seed alone, with other images on both sides."""
    side(folder / "base", {"small": predictions(0.3)}, seed=1)
    side(folder / "head", {"small": predictions(2.0, shift=1)}, seed=2)
    return changes(folder, stage("transfer@small", SEED_CAUSE))
