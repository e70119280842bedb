"""The finished lines of a long proof: kept while they speak of the same dvc.lock, made anew otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxr import artifacts
from flows import pipeline

REPORT = pipeline.HERE / "reports/proof"
EQUAL = "equal"
MINUTES = 150.0


def lock(root: Path) -> str:
    """Return twelve digits that stand for a project's dvc.lock."""
    content = (root / pipeline.LOCK_FILE).read_bytes()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()[:12]


def kept(path: Path, of: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return the finished lines that speak of this lock file; none that speaks of another."""
    if not path.is_file():
        return pd.DataFrame(columns=columns)
    table = artifacts.read_csv(path, dtype={"lock": str})
    return table[table["lock"] == of].reset_index(drop=True)
