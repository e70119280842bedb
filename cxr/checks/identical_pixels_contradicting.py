"""Files with the same pixels of which one says that a label is present and another that it is not."""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "The same pixels carry contradicting labels, so at least one of the labels is wrong."
CURE = "Correct the labels or remove these files; accept it if they are too few to matter."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return all images of such a set, and the labels they carry."""
    alike = _findings.twins(manifest)
    wrong = alike[_findings.contradicting(alike, "pixels_sha256")]
    labels = _findings.listed(wrong, "pixels_sha256", _findings.label_words(wrong))
    return _findings.table(wrong, "copies of " + wrong["first"] + " have the labels: " + labels)
