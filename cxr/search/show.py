"""The networks that a search picked, for reading in a terminal: in words, layer by layer, cost and score."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from cxr import architectures, artifacts


def text(folds: Sequence[Mapping[str, Any]], finals: pd.DataFrame, *, size_px: int) -> str:
    """Say what was picked: `folds` are the picks by method, `finals` the finalists' table."""
    return "\n".join(
        line
        for fold, picks in enumerate(folds)
        for method, architecture in picks.items()
        for line in _pick(fold, method, architecture, finals, size_px=size_px)
    )


def _pick(
    fold: int, method: str, architecture: Mapping[str, Any], finals: pd.DataFrame, *, size_px: int
) -> Iterator[str]:
    network = artifacts.canonical_json(architecture)
    rows = finals[(finals["fold"] == fold) & (finals["method"] == method) & (finals["network"] == network)]  # fmt: skip
    first = rows.iloc[0]
    yield f"fold {fold}, {method}: {architectures.words(architecture)}"
    yield f"  {'layer':<34}{'channels':>9}{'side':>6}{'parameters':>12}{'MACs':>14}"
    for line in architectures.outline(architecture, size_px=size_px):
        side = f"{line.side_px} px" if line.side_px else "–"
        yield f"  {line.words:<34}{line.channels:>9}{side:>6}{line.parameters:>12,}{line.macs:>14,}"
    yield (
        f"  with its head: {first['parameters']:,} parameters, {first['macs']:,} MACs for an image of "
        f"{size_px} px, {first['activation_bytes'] / 1e6:.2f} MB of activations"
    )
    for part in ("search_val", "val"):
        scores = ", ".join(_score(rows, f"{part}_{name}", name) for name in ("auroc", "accuracy"))
        yield f"  {part}: {scores}; mean ± sd of {len(rows)} training(s) on {first['samples']:,} images"
    yield ""


def _score(rows: pd.DataFrame, column: str, name: str) -> str:
    known = [float(value) for value in rows[column] if pd.notna(value)]
    words = {"auroc": "AUROC", "accuracy": "accuracy"}[name]
    if not known:
        return f"{words} unknown"
    spread = f" ± {statistics.stdev(known):.3f}" if len(known) > 1 else ""
    return f"{words} {statistics.fmean(known):.3f}{spread}"
