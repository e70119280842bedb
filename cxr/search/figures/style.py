"""How methods and baselines look in every figure of a search: by shape and line as well as by colour."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from cxr import artifacts

INK, FAINT = "#222222", "#8A8A8A"
SCORES = {"auroc": "AUROC", "accuracy": "accuracy"}
"""Words for what ranks networks."""


class Style(NamedTuple):
    """How a method is drawn."""

    color: str
    linestyle: Any
    marker: str
    filled: bool
    frame: str
    """marker around or in place of what the method picked"""

    @property
    def face(self) -> str:
        """Return the filling of the method's markers."""
        return self.color if self.filled else "white"


METHODS = {
    "evolved": Style(artifacts.PALETTE[0], "-", "o", True, "*"),
    "random": Style(artifacts.PALETTE[1], (0, (4, 2)), "^", False, "s"),
    "grid": Style(artifacts.PALETTE[2], (0, (5, 1.5, 1, 1.5)), "D", True, "o"),
}
"""In the order of legends."""
_BASELINES = ("v", "X", "P", "h", "d", ">", "8", "p")  # markers, one after the other


def methods(table: pd.DataFrame) -> list[str]:
    """Return the methods of a table in the order of legends."""
    there = set(table["method"])
    return [method for method in METHODS if method in there]


def baselines(finalists: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows of networks that no method found, by name in the order of the alphabet."""
    rows = finalists[~finalists["method"].isin(list(METHODS))]
    return {str(name): mine for name, mine in rows.groupby("method")}


def mark(place: int) -> str:
    """Return the marker of the baseline at a place of a list."""
    return _BASELINES[place % len(_BASELINES)]


def span(lowest: float, highest: float) -> tuple[float, float]:
    """Return the ends of an axis of scores (within 0 … 1) with some air around what it shows."""
    air = max(0.08 * (highest - lowest), 0.005)
    return max(lowest - air, -0.02), min(highest + air, 1.02)
