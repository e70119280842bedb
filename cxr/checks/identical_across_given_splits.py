"""Pixel-identical files on both sides of the data set's own split."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "The data set's own split has the same pixels on both sides, so its test is not blind."
CURE = (
    "Accept it: split then leaves the train and val copies out; "
    "or set split.respect_given: false to divide anew."
)


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images whose pixels stand in several given splits, and these splits."""
    alike = _findings.twins(manifest)
    given = alike[alike["given_split"] != ""]
    across = given[_findings.several(given, "pixels_sha256", "given_split")]
    splits = _findings.listed(across, "pixels_sha256", across["given_split"])
    return _findings.table(across, "copies of " + across["first"] + " in given splits: " + splits)
