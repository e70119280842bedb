"""Findings about gaps: listed images without a file, and files that no table lists."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

MOST = 100
"""Gaps of a data set that are named one by one; of more there is one finding for the set."""


def findings(manifest: pd.DataFrame, gaps: pd.DataFrame, gap: str, words: str) -> pd.DataFrame:
    """Return the gaps of one kind: named, or counted for a data set that has many."""
    images = gaps["image"][gaps["gap"] == gap].sort_values(kind="stable")
    sets = images.str.split("/", n=1).str[0]
    counts = sets.map(sets.value_counts())
    few, many = images[counts <= MOST], images[counts > MOST]
    there = manifest["dataset"].value_counts()
    details = [
        f"{name}: {len(found):,} {words}, {there.get(name, 0):,} images are there; "
        f"the first is {found.iloc[0]}, all are in data/gaps.csv"
        for name, found in many.groupby(sets[many.index], sort=True)
    ]
    named = _findings.table(few.to_frame(), words)
    return pd.concat([named, _findings.overall(details)], ignore_index=True)
