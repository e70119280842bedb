"""What evaluate left of each model, image by image, read back to compare the models."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from cxr.metrics.scored import Scored


def differences(
    results: Mapping[str, Mapping[str, Any]], folder: Path, *, seed: int
) -> pd.DataFrame | None:
    """Compare all models, pair by pair in the order of `results`; None with fewer than two.

    `results` holds each model's metrics.json; the resamples are those of its intervals. Raises
    ValueError if a model's predictions are missing or of other images.
    """
    from cxr import seeding
    from cxr.metrics import paired

    if len(results) < 2:
        return None
    first = next(iter(results.values()))
    return paired.differences(
        {name: read(folder / name, result) for name, result in results.items()},
        first["labels"],
        samples=first["bootstrap"]["samples"],
        confidence=first["confidence"],
        rng=seeding.stream(seed, "evaluate", "bootstrap"),
    )


def read(folder: Path, result: Mapping[str, Any]) -> Scored:
    """Read what a model said of its test images, and decide as it does."""
    import numpy as np

    from cxr import artifacts, manifest
    from cxr.metrics import scored

    path = folder / "plots/predictions.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro evaluate`")
    table = artifacts.read_csv(path, dtype=dict.fromkeys(("image", "patient", "source"), str))
    if len(table) != result["images"] or manifest.labels(table) != result["labels"]:
        raise ValueError(
            f"{path} has {len(table)} images and {', '.join(manifest.labels(table))}, metrics.json "
            f"beside it {result['images']} and {', '.join(result['labels'])}: run `dvc repro evaluate`"
        )
    # as evaluate had them: a float32 comes back bit for bit from its shortest decimals
    scores = [name for name in table.columns if name.startswith("score:")]
    table = table.astype(dict.fromkeys(scores, np.float32))
    thresholds = result["thresholds"]
    thresholds_FL = None
    if thresholds is not None:
        thresholds_FL = np.array([thresholds[name] for name in result["labels"]], np.float64).T
    return scored.from_table(table, thresholds_FL)
