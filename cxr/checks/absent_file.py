"""Images that the data set's tables list and its folder does not hold: a subset, or a broken download."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _gaps

SEVERITY = "warning"
NEEDS = ("gaps",)
MEANING = "A table of the data set lists an image that is not there, so the set is not whole."
CURE = "Fetch the missing archives, or say in the study that it uses a part of the set."


def find(manifest: pd.DataFrame, *, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the listed images without a file; for a set that lacks many, their number."""
    return _gaps.findings(manifest, gaps, "absent", "listed without a file")
