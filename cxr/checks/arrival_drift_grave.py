"""The newest arrival is of another kind: its greys or labels are far from all that was there before.

A negative, another display window, labels of another meaning or none at all look so. The statistics
and their limits stand in cxr/checks/_arrival.py.
"""

from __future__ import annotations

import pandas as pd

from cxr.checks import _arrival, _findings

SEVERITY = "critical"
NEEDS = ("arrival",)
MEANING = "The newest arrival is so unlike the images before it that something is probably wrong."
CURE = (
    "Look at its images and labels; accept it if the change is real and the model shall learn it."
)


def find(manifest: pd.DataFrame, *, arrival: _arrival.Arrival | None) -> pd.DataFrame:
    """Return what has moved gravely, by how much, and what chance alone would do."""
    moves = _arrival.moves(manifest, arrival)
    return _findings.overall([move.words for move in moves if move.is_grave])
