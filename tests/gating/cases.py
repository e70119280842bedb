"""Acceptance sets, models and reports made by code, for tests to bend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr import seeding
from cxr.gating import acceptance, measures, rules
from cxr.gating.limits import Calibration, Cost, Group, Limits
from tests import factories

ANY = Group(
    floor_auroc=None, floor_sensitivity=None, margin_auroc=None, margin_sensitivity=None
)  # fmt: skip
ANY_CALIBRATION = Calibration(
    ceiling_ece=None, ceiling_brier=None, margin_ece=None, margin_brier=None
)  # fmt: skip
ANY_COST = Cost(parameters=None, macs=None, onnx_bytes=None)


def limits(**changed: Any) -> Limits:
    """Limits of which only the macro margin of 0.05 can bite."""
    loose: dict[str, Any] = {
        "require_better": False, "margin_auroc": 0.05, "floor_auroc": 0.0, "min_patients": 5,
        "classes": ANY, "sources": ANY, "calibration": ANY_CALIBRATION, "cost": ANY_COST,
    }  # fmt: skip
    return Limits(**(loose | changed))


def accepted(
    labels_NL: np.ndarray,
    patients_N: Sequence[str] | np.ndarray | None = None,
    sources_N: Sequence[str] | None = None,
    *,
    exclusive: bool = False,
) -> acceptance.Accepted:
    """An acceptance set; without `patients_N` each image is a patient's."""
    images = len(labels_NL)
    return acceptance.Accepted(
        images=tuple(f"toy/{i:05d}.png" for i in range(images)),
        names=tuple("abcdefgh"[: labels_NL.shape[1]]),
        labels_NL=labels_NL.astype(np.float64),
        patients_N=np.arange(images).astype(str) if patients_N is None else np.array(patients_N),
        sources_N=np.array(["here"] * images if sources_N is None else sources_N),
        exclusive=exclusive,
    )


def side(scores_NL: np.ndarray, *, exclusive: bool = False, **costs: int) -> acceptance.Side:
    """A model of these scores, deciding at 0.5 or by the highest."""
    highest_NL = scores_NL == scores_NL.max(axis=1, keepdims=True)
    return acceptance.Side(
        scores_NL=scores_NL.astype(np.float64),
        decided_NL=highest_NL if exclusive else scores_NL >= 0.5,
        exclusive=exclusive,
        costs={"parameters": 1000, "macs": 5000, "onnx_bytes": 4000} | costs,
    )


def scores(
    labels_NL: np.ndarray, *, distance: float, seed: int, noise: np.ndarray | None = None
) -> np.ndarray:
    """Scores (N, L) in 0..1 whose AUROC is Phi(distance / sqrt 2); `noise` is what models share."""
    rng = seeding.stream(seed, "scores")
    own_NL = rng.normal(size=labels_NL.shape)
    mixed_NL = own_NL if noise is None else (own_NL + noise) / np.sqrt(2)
    return 1 / (1 + np.exp(-(mixed_NL + distance * (labels_NL - 0.5))))


def judge(
    accepted_set: acceptance.Accepted, challenger: acceptance.Side,
    champion: acceptance.Side | None, *, asked: Limits, samples: int = 100,
    confidence: float = 0.95, seed: int = 1,
) -> list[rules.Rule]:  # fmt: skip
    """Measure and judge in one step."""
    measured = measures.measure(
        accepted_set, challenger, champion, min_patients=asked.min_patients, samples=samples,
        rng=seeding.stream(seed, "gate", "bootstrap"),
    )  # fmt: skip
    return rules.judge(measured, challenger, champion, limits=asked, confidence=confidence)


def by_name(judged: Sequence[rules.Rule]) -> dict[str, rules.Rule]:
    return {rule.rule: rule for rule in judged}


def manifest(images: int = 40) -> pd.DataFrame:
    """Half `normal`, half `pneumonia`, two images per patient, two sources."""
    table = factories.manifest(images)
    return table.assign(source=np.where(np.arange(images) // 2 % 4 == 0, "there", "here"))


def predictions(table: pd.DataFrame, *, distance: float = 1.5, seed: int = 1) -> pd.DataFrame:
    """What evaluate writes of the images in a manifest: one softmax score per class, fold 0."""
    names = manifests.labels(table)
    raw_NL = scores(manifests.label_array(table), distance=distance, seed=seed)
    scores_NL = (raw_NL / raw_NL.sum(axis=1, keepdims=True)).astype(np.float32)
    found = table[["image", "patient", "source", *manifests.label_columns(table)]].copy()
    found.insert(3, "fold", 0)
    for i, name in enumerate(names):
        found[f"score:{name}"] = scores_NL[:, i]
    return found.reset_index(drop=True)


def report(found: pd.DataFrame, *, where: str = "challenger.csv", **metrics: Any) -> Any:
    """The report of these predictions; `metrics` replaces numbers of its metrics."""
    told = {
        "images": len(found), "labels": manifests.labels(found), "thresholds": None,
        "parameters": 1000, "macs": 5000,
    }  # fmt: skip
    return acceptance.Report(
        where=where, predictions=found, metrics=told | metrics, export={"onnx_bytes": 4000}
    )
