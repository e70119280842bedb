"""Images almost the same of which one says that a label is present and another that it is not.

A second exposure of a patient who fell ill looks less alike than this; but alike is not identical,
so it is no more than a warning. Pixel-identical files with contradicting labels are the concern of
identical_pixels_contradicting.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "warning"
MEANING = "Images alike almost pixel by pixel carry contradicting labels: one is probably wrong."
CURE = "Look at them side by side; correct the labels or remove these files."
NEEDS = ("pairs",)


def find(manifest: pd.DataFrame, *, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return all images of such a group with a known label, and the labels they carry."""
    alike = _findings.near(manifest, pairs)
    wrong = alike[_findings.contradicting(alike, "first")]
    labels = _findings.listed(wrong, "first", _findings.label_words(wrong))
    detail = "images almost the same as " + wrong["first"] + " have the labels: " + labels
    new = ~_findings.contradicting(wrong, "pixels_sha256") & _findings.labelled(wrong)
    return _findings.table(wrong[new], detail[new])
