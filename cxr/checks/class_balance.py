"""Labels whose one answer is rare: always giving the other looks like a good result.

ChestMNIST's accuracy of .947 is reached by calling every image healthy. Below one in twenty a
threshold of .5 answers nearly always the same, and precision falls with the share
(Saito & Rehmsmeier 2015, doi:10.1371/journal.pone.0118432).
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _findings

SEVERITY = "info"
MEANING = "One answer to a label is rare, so accuracy says little about it."
CURE = "Read its AUROC and macro-F1, and weight the classes in the loss."

_LEAST_SHARE = 0.05


def find(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the labels that fewer than one in twenty images have, or have not."""
    readable = manifest[manifest["fault"] == ""]
    details = []
    for name, label in _findings.by_name(readable).items():
        present, absent = int((label == 1).sum()), int((label == 0).sum())
        rarer, words = min((present, "present"), (absent, "absent"))
        share = rarer / max(1, present + absent)
        if 0 < share < _LEAST_SHARE:
            details.append(
                f"{name} is {words} in {rarer:,} of {present + absent:,} images: "
                f"the other answer is right {1 - share:.1%} of the time"
            )
    return _findings.overall(details)
