"""One finding for a data set instead of one for each of its images, where most are alike."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from cxr.checks import _findings

_MOST_NAMED = 100
_LEAST_SHARE = 0.5


def gathered(manifest: pd.DataFrame, rows: pd.DataFrame, detail: pd.Series) -> pd.DataFrame:
    """Return one finding per row; for a data set of which most images are meant, one for the set."""
    images, faulty = (Counter[str](table["dataset"]) for table in (manifest, rows))
    many = sorted(
        name
        for name, count in faulty.items()
        if count > _MOST_NAMED and count > _LEAST_SHARE * images[name]
    )
    named = ~rows["dataset"].isin(many)
    details = []
    for name in many:
        first = rows["image"][rows["dataset"] == name].sort_values(kind="stable").index[0]
        words = f"{faulty[name]:,} of {images[name]:,} images of {name}"
        details.append(f"{words}; the first is {rows['image'][first]}: {detail[first]}")
    parts = [_findings.table(rows[named], detail[named]), _findings.overall(details)]
    return pd.concat(parts, ignore_index=True)
