"""Ages no patient has: below 0 or above 120 years (ChestX-ray14 has 412 among them)."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "The age is impossible, so results by age are wrong for this image."
CURE = "Correct the age or leave it empty where it is unknown."

_OLDEST_YEARS = 120


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images with such an age, and the age."""
    years = manifest["age_years"]
    wrong = manifest[(years < 0) | (years > _OLDEST_YEARS)]
    return _findings.table(wrong, _findings.worded(wrong["age_years"], "{:g} years"))
