"""Image files that no table of the data set lists: nothing is known about them."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _gaps

SEVERITY = "warning"
NEEDS = ("gaps",)
MEANING = (
    "An image file, or an archive that nobody looks into, stands in no table, so it is left out."
)
CURE = "Add its row to the table, or take the file away."


def find(manifest: pd.DataFrame, *, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the files without a row; for a set that has many, their number."""
    return _gaps.findings(manifest, gaps, "unlisted", "not listed in any table")
