"""Pixel-identical files in several data sets of one study."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "Data sets share these X-rays pixel by pixel, so they are no independent sources."
CURE = "Nothing must be done, split keeps copies in one part; never test on one set what learnt from the other."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images whose pixels stand in another data set, and where."""
    alike = _findings.twins(manifest)
    across = alike[_findings.several(alike, "first", "dataset")]
    return _findings.table(across, "the same pixels: " + _findings.elsewhere(across, "first"))
