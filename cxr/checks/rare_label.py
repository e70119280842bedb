"""Labels of so few patients that a test part holds one or two of them."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "A label has so few patients that its results are left to chance."
CURE = "Add patients, join the label with another in merge.labels, or read its intervals with care."

_LEAST_PATIENTS = 10


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the labels present in at least one and fewer than ten patients, and their number."""
    readable = manifest[manifest["fault"] == ""]
    details = []
    for name, label in _findings.by_name(readable).items():
        patients = readable["patient"][label == 1].nunique()
        if 0 < patients < _LEAST_PATIENTS:
            details.append(f"{name} is present in {patients} patients, less than {_LEAST_PATIENTS}")
    return _findings.overall(details)
