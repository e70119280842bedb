"""Small valid tables made by code, for tests to bend."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr import seeding


def manifest(
    n: int,
    *,
    labels: Sequence[str] = ("normal", "pneumonia"),
    images_per_patient: int = 2,
    multilabel: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Return a valid manifest of `n` images: one source, no view given twice, no fault anywhere.

    Patients take the labels in turn, or with `multilabel` each label by chance.
    """
    rng = seeding.stream(seed, "test manifest")
    patient = np.arange(n) // images_per_patient
    one_hot = np.eye(len(labels))[patient % len(labels)]
    truth = (rng.random((n, len(labels))) < 0.3).astype(float) if multilabel else one_hot
    mean = rng.uniform(100.0, 140.0, n).round(3)
    table = pd.DataFrame(
        {
            "image": [f"toy/images/{i:06d}.png" for i in range(n)],
            "dataset": "toy",
            "kind": "image",
            "source": "toy hospital",
            "patient": [f"toy/{p:06d}" for p in patient],
            "view": ["PA" if i % 3 else "AP" for i in range(n)],
            "age_years": (20.0 + patient % 60).astype(float),
            "sex": np.where(patient % 2 == 0, "F", "M"),
            "given_split": "",
            "sha256": [hashlib.sha256(f"file {i}".encode()).hexdigest() for i in range(n)],
            "file_bytes": 20_000 + rng.integers(0, 10_000, n),
            "file_format": "PNG",
            "pixels_sha256": [hashlib.sha256(f"pixels {i}".encode()).hexdigest() for i in range(n)],
            "phash": [hashlib.sha256(f"hash {i}".encode()).hexdigest()[:16] for i in range(n)],
            "width_px": 224,
            "height_px": 224,
            "channels": 1,
            "bit_depth": 8,
            "grey_min": 0,
            "grey_max": 255,
            "grey_mean": mean,
            "grey_std": 60.0,
            "fault": "",
        }
    )
    for i, name in enumerate(labels):
        table[f"{manifests.LABEL_PREFIX}{name}"] = truth[:, i]
    return manifests.check(table, where="tests/factories.py")


def thumbnails(manifest: pd.DataFrame) -> np.ndarray:
    """Return uint8 (rows, 32, 32): a thumbnail per row, noise of its image's own name.

    It goes with the image, whatever the order of the rows; unreadable images have zeros.
    """
    drawn = np.zeros((len(manifest), 32, 32), dtype=np.uint8)
    for row, (image, fault) in enumerate(zip(manifest["image"], manifest["fault"], strict=True)):
        if not fault:
            rng = seeding.stream(0, "test thumbnail", image)
            drawn[row] = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    return drawn


def pairs(*found: tuple[str, str, float]) -> pd.DataFrame:
    """Return the near pairs (image_a, image_b, correlation) as `validate` passes them to checks."""
    table = pd.DataFrame(list(found), columns=["image_a", "image_b", "correlation"])
    return table.astype({"image_a": str, "image_b": str, "correlation": float})


def gaps(*found: tuple[str, str]) -> pd.DataFrame:
    """Return the gaps (image, gap) as `validate` passes them to checks."""
    return pd.DataFrame(list(found), columns=["image", "gap"], dtype=object)


def evidence(manifest: pd.DataFrame) -> dict[str, Any]:
    """Return all evidence beside the manifest that a check may need, without a fault in it."""
    return {
        "thumbnails": thumbnails(manifest),
        "gaps": gaps(),
        "pairs": pairs(),
        "reference": None,
        "arrival": None,
        "seed": 0,
    }
