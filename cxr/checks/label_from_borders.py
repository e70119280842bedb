"""Labels that a control classifier tells from the image's border and the file alone.

See cxr/control.py; the same figures stand in the report beside the models'.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cxr import control
from cxr.checks import _findings

SEVERITY = "warning"
NEEDS = ("thumbnails", "seed")
MEANING = "A label can be told without the chest, so a network may learn border or file instead."
CURE = "Crop or mask the border, bring all files to one form, and read results against the control."

_LEAST_AUROC = 0.6  # of the interval's lower end; .5 is chance


def find(manifest: pd.DataFrame, *, thumbnails: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the labels that the control tells clearly better than chance, and how well."""
    return findings(control.measure(manifest, thumbnails, seed=seed))


def findings(measured: Mapping[str, Any]) -> pd.DataFrame:
    """Return the same of what `control.measure` has found."""
    details = [
        f"{name} from borders and file statistics: AUROC {label['value']:.3f} "
        f"[{label['low']:.3f}, {label['high']:.3f}]"
        for name, label in measured["labels"].items()
        if (label["low"] or 0) > _LEAST_AUROC
    ]
    return _findings.overall(details)
