"""The pointing game: does the strongest place of a label's map lie in one of the label's boxes?

Zhang et al. 2018, "Top-down neural attention by excitation backprop", IJCV 126,
https://arxiv.org/abs/1608.00507, section 4.1: one point per image and label that is there, a hit or
a miss; no tolerance around the box here. Beside it stand two who never look: a point drawn evenly
over the image hits with the share of pixels that the boxes cover, and a point in the image's middle.
A map of few places points coarsely: its point is the middle of its strongest place.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from cxr.explaining import geometry

CONFIDENCE = 0.95
_QUANTILE = 1.959963984540054  # of the normal distribution, two-sided at CONFIDENCE
PLAYERS = ("hit", "chance", "centre")
"""Columns of a table of plays: 1 or 0; share of pixels in the boxes; whether the middle hits."""


def play(map_hw: np.ndarray, boxes_K4: np.ndarray, *, size_px: int) -> dict[str, float]:
    """Return what one map and the two blind players score on boxes in pixels of an image of side S.

    A flat map has no strongest place and misses.
    """
    covered_SS = geometry.mask(boxes_K4, size_px)
    middle = size_px // 2
    row, column = np.unravel_index(map_hw.argmax(), map_hw.shape)
    y, x = (
        int((place + 0.5) * size_px / places)
        for place, places in zip((row, column), map_hw.shape, strict=True)
    )
    return {
        "hit": float(covered_SS[y, x] and map_hw.max() > map_hw.min()),
        "chance": float(covered_SS.mean()),
        "centre": float(covered_SS[middle, middle]),
    }


def summarise(plays: pd.DataFrame) -> dict[str, Any] | None:
    """Return accuracy and baselines of all plays and by label; None without any.

    `plays` has a row per image, label and network that played. Several networks that played the same
    image and label count once, with the share of them that hit. `macro` is the mean over labels, as
    Zhang et al. report it.
    """
    if plays.empty:
        return None
    once = plays.groupby(["image", "label"], sort=True)[list(PLAYERS)].mean().reset_index()
    by_label = {str(label): _figures(rows) for label, rows in once.groupby("label", sort=True)}
    macro = {name: _mean([one[name] for one in by_label.values()]) for name in PLAYERS[1:]}
    macro["accuracy"] = _mean([one["accuracy"]["value"] for one in by_label.values()])
    return {**_figures(once), "macro": macro, "per_label": by_label}


def _mean(values: list[float]) -> float:
    return round(math.fsum(values) / len(values), 6)


def _figures(once: pd.DataFrame) -> dict[str, Any]:
    plays, accuracy = len(once), math.fsum(once["hit"]) / len(once)
    low, high = wilson(accuracy, plays)
    interval = {"value": accuracy, "low": low, "high": high}
    return {
        "plays": plays,
        "accuracy": {key: round(value, 6) for key, value in interval.items()},
        **{name: _mean(once[name].tolist()) for name in PLAYERS[1:]},
    }


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Return Wilson's interval of a share seen in so many trials, taken as independent of one another.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    Images of one patient resemble each other, so that with several of them it is a little narrow.
    """
    square = _QUANTILE**2 / trials
    middle = (share + square / 2) / (1 + square)
    half = math.sqrt(share * (1 - share) * square + square * square / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
