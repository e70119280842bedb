"""The finished lines of a long proof: kept while they speak of the same dvc.lock, made anew otherwise."""

from __future__ import annotations

import argparse
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


def options(name: str, words: str | None) -> argparse.Namespace:
    """Read the command line of a proof that sits: project, out and minutes; `words` are its module's."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.proof.{name}", description=words,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--project", type=Path, default=pipeline.HERE, help="where `make repro` has run"
    )
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of a sitting, about")
    return parser.parse_args()
