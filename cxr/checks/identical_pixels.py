"""Files with the same pixels and no contradiction between their labels: surplus copies."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "Several files hold the same pixels, so one X-ray counts more than once."
CURE = "Nothing must be done, split keeps copies in one part; remove them to count each X-ray once."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return every copy but the first, and which image is the first."""
    alike = _findings.twins(manifest)
    agree = ~_findings.contradicting(alike, "pixels_sha256")
    copies = alike[agree & (alike["image"] != alike["first"])]
    return _findings.table(copies, "same pixels as " + copies["first"])
