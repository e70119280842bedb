"""Images with labels that exclude one another: "normal" beside a finding, or two classes at once.

That labels are classes is seen from the table: 99 of 100 images have exactly one.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _classes, _findings

SEVERITY = "critical"
MEANING = "The image has labels that exclude one another, so at least one of them is wrong."
CURE = "Correct the labels; accept it if such images are too few to matter."


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return such images and all their labels."""
    wrong = _classes.denied(manifest)
    if _classes.are_classes(manifest):
        wrong |= _classes.present(manifest) > 1
    rows = manifest[wrong]
    return _findings.table(rows, "labels " + _findings.label_words(rows))
