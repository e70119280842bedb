"""Labels that exclude one another: classes, of which an image has one, and "no finding"."""

from __future__ import annotations

import pandas as pd

from cxr import manifest as manifests

_LEAST_SHARE = 0.99
NOTHING = ("normal", "no_finding", "no_findings", "healthy")
"""Names of a label, in small letters and with underscores, that says that no other is present."""
BESIDE = ("support_devices",)
"""What may be seen on an image without a finding (CheXpert, Irvin et al. 2019, arXiv:1901.07031)."""


def present(manifest: pd.DataFrame) -> pd.Series:
    """Return how many labels of each image are present."""
    return (manifest[manifests.label_columns(manifest)] == 1).sum(axis=1)


def are_classes(manifest: pd.DataFrame) -> bool:
    """Say whether the labels are classes: nearly all images with known labels have exactly one of several."""
    columns = manifests.label_columns(manifest)
    known = manifest[columns].notna().any(axis=1)
    exactly_one = present(manifest)[known] == 1
    return len(columns) > 1 and bool(known.any()) and exactly_one.mean() >= _LEAST_SHARE


def denied(manifest: pd.DataFrame) -> pd.Series:
    """Say for each image whether one label says that nothing is there and another that something is."""
    columns = manifests.label_columns(manifest)
    plain = {name: name.removeprefix(manifests.LABEL_PREFIX) for name in columns}
    plain = {name: "_".join(word.lower().replace("-", " ").split()) for name, word in plain.items()}
    nothing = [name for name in columns if plain[name] in NOTHING]
    something = [name for name in columns if plain[name] not in (*NOTHING, *BESIDE)]
    return (manifest[nothing] == 1).any(axis=1) & (manifest[something] == 1).any(axis=1)
