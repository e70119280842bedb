"""Patients whose images stand in several classes, where every image has exactly one class.

It can be true, as a patient falls ill or recovers between two images, or a sign of wrong patient
names or labels; where labels may combine, they change over time as a matter of course.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "critical"
MEANING = "Images of one patient stand in different classes: a change over time, or a wrong label."
CURE = "Compare the images' dates or reports; accept it if the patients changed between images."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images of such patients, and the classes they stand in."""
    if not _findings.one_label_each(manifest):
        return _findings.overall([])
    named = manifest[manifest["patient"] != ""]
    wrong = named[_findings.contradicting(named, "patient")]
    labels = _findings.listed(wrong, "patient", _findings.label_words(wrong))
    return _findings.table(wrong, "patient " + wrong["patient"] + " in classes: " + labels)
