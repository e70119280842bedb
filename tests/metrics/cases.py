"""Test images that a model scored, made by code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cxr import seeding
from cxr.metrics import classification, measured
from cxr.metrics.scored import Scored


def scored(images: int = 120, seed: int = 1, **changes: Any) -> Scored:
    """Three classes, two images per patient, two folds, two sources."""
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
    return Scored(**{**fields, **changes})


def combined(images: int = 120, seed: int = 1) -> Scored:
    """Two labels that combine, some unknown; the model decides at 0.5."""
    rng = seeding.stream(seed, "combined")
    labels = (rng.random((images, 2)) < 0.35).astype(float)
    scores = rng.random((images, 2)) * 0.6 + 0.4 * labels
    labels[::7, 0] = np.nan
    return scored(
        images, labels_NL=labels, scores_NL=scores, decided_NL=scores >= 0.5, exclusive=False
    )


def measure(
    one: Scored, names: str = "abc", *, samples: int = 60, **options: Any
) -> measured.Measured:
    """Measure a case, by default with 60 resamples."""
    rng = seeding.stream(3, "bootstrap")
    return measured.measure(one, list(names), samples=samples, confidence=0.95, rng=rng, **options)


def people(images: int) -> pd.DataFrame:
    """What the manifest says of the images: two of a patient after the other."""
    patient = np.arange(images) // 2
    return pd.DataFrame(
        {
            "age_years": np.where(patient % 5 == 4, np.nan, 15.0 + 30 * (patient % 3)),
            "sex": np.where(patient % 2, "F", "M"),
            "view": np.where(np.arange(images) % 2, "AP", "PA"),
            "source": "here",
        }
    )
