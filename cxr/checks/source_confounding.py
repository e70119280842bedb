"""Labels that the image's source foretells: a network may learn the hospital instead of the disease.

DeGrave, Janizek and Lee 2021, "AI for radiographic COVID-19 detection selects shortcuts over
signal", doi:10.1038/s42256-021-00338-7. The measure is Cramér's V with Bergsma's 2013 correction
for chance, doi:10.1016/j.jkss.2012.10.002: 0 independent, 1 the source says everything.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "A label goes with the image's source, so a network may tell the sources apart instead."
CURE = "Report results per source, and add sources that hold both answers."

_LEAST_V = 0.1  # Cohen 1988 calls .1 a small, .3 a medium and .5 a large effect


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the labels that go with the source, and how closely."""
    details = []
    for name, label in _findings.by_name(manifest).items():
        counts = pd.crosstab(manifest["source"], label).to_numpy(dtype=np.float64)
        v = cramers_v(counts)
        if v >= _LEAST_V:
            details.append(f"{name} and source: Cramér's V {v:.2f} over {len(counts)} sources")
    return _findings.overall(details)


def cramers_v(counts: np.ndarray) -> float:
    """Return the corrected V of a table of counts without empty rows or columns; 0 if it has one of either."""
    rows, columns = counts.shape
    total = counts.sum()
    if min(rows, columns) < 2:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0, keepdims=True) / total
    phi2 = ((counts - expected) ** 2 / expected).sum() / total
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (total - 1))
    rows, columns = (n - (n - 1) ** 2 / (total - 1) for n in (rows, columns))
    least = min(rows, columns) - 1
    return float(min(1.0, np.sqrt(phi2 / least))) if least > 0 else 0.0
