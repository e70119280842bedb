"""The newest arrival differs from what was there before: patients, views, devices, labels or greys.

Which one is newest says `validate.arrival`; without it nothing is looked for. The statistics and
their limits stand in cxr/checks/_arrival.py, and what is grave is arrival_drift_grave's.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _arrival, _findings

SEVERITY = "warning"
NEEDS = ("arrival",)
MEANING = "The newest arrival differs from the images that were there before it."
CURE = "Find out what changed: a device, a ward, a season or who sets the labels."


def find(manifest: pd.DataFrame, *, arrival: _arrival.Arrival | None) -> pd.DataFrame:
    """Return what has moved and is not grave, by how much, and what chance alone would do."""
    moves = _arrival.moves(manifest, arrival)
    return _findings.overall([move.words for move in moves if not move.is_grave])
