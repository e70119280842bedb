"""Images almost the same on both sides of the data set's own split; identical ones have their own check."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "The data set's own split has images alike almost pixel by pixel on both sides."
CURE = (
    "Set split.near_duplicates: true, which leaves their train and val images out; "
    "or set split.respect_given: false to divide anew."
)
NEEDS = ("pairs",)


def find(manifest: pd.DataFrame, *, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the images of groups in several given splits, and these splits."""
    alike = _findings.near(manifest, pairs)
    given = alike[alike["given_split"] != ""]
    across = given[_findings.several(given, "first", "given_split")]
    splits = _findings.listed(across, "first", across["given_split"])
    detail = "images almost the same as " + across["first"] + " in given splits: " + splits
    new = ~_findings.several(across, "pixels_sha256", "given_split")
    return _findings.table(across[new], detail[new])
