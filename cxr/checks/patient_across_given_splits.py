"""Patients who stand on both sides of the data set's own split."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "The data set's own split has one patient on both sides, so its test is not blind."
CURE = (
    "Accept it: split then leaves the patient's train and val images out; "
    "or set split.respect_given: false to divide anew."
)


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images of patients in several given splits, and these splits."""
    given = manifest[(manifest["given_split"] != "") & (manifest["patient"] != "")]
    across = given[_findings.several(given, "patient", "given_split")]
    splits = _findings.listed(across, "patient", across["given_split"])
    return _findings.table(across, "patient " + across["patient"] + " in given splits: " + splits)
