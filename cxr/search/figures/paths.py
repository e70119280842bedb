"""How fast a search got there: best score and hypervolume against the images its networks have seen."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import EngFormatter

from cxr import artifacts
from cxr.evolution.hypervolume import covered
from cxr.metrics import student
from cxr.search.figures.style import METHODS, SCORES, methods, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = tuple[np.ndarray, np.ndarray]
"""Images seen (E,), rising, and a value from there on (E,)."""


def progress(candidates: pd.DataFrame, *, score: str, max_macs: int, title: str) -> Figure:
    """Draw the best score so far and the dominated share against images seen by all rungs.

    Only the top rung counts as found. Of several folds the mean is drawn, with a band of 95 %
    (t-interval over folds).
    """
    several = candidates["fold"].nunique() > 1
    figure, (best, covered_by) = artifacts.new_figure(9.4, 4.2, columns=2)
    for axis, curves in (
        (best, functools.partial(best_so_far, score=score)),
        (covered_by, functools.partial(covered_so_far, score=score, max_macs=max_macs)),
    ):
        found = {
            method: [curves(rows) for _, rows in mine.groupby("fold")]
            for method in methods(candidates)
            for mine in [candidates[candidates["method"] == method]]
        }
        for method in reversed(found):
            _draw(axis, found[method], method)
        shown = np.concatenate([values for each in found.values() for _, values in each])
        # of a band as much as the folds themselves reach: that of two folds would fill the panel
        axis.set_ylim(*span(float(shown.min()), float(shown.max())))
        axis.set_xlabel("training images seen, all rungs" + ", a fold" * several)
        axis.xaxis.set_major_formatter(EngFormatter(sep="\u202f"))
        axis.set_xlim(left=0)
    best.set(title=f"{title}: best so far", ylabel=f"{SCORES[score]} on search_val, top rung")
    covered_by.set(
        title=f"{title}: hypervolume", ylabel=f"share of {SCORES[score]} 0.5–1 × MACs 0–cap"
    )
    handles, words = best.get_legend_handles_labels()
    figure.legend(handles[::-1], words[::-1], loc="outside lower center", ncols=4, fontsize=8)
    return figure


def best_so_far(rows: pd.DataFrame, *, score: str) -> Curve:
    """Return the highest score at the top rung up to each of one search's networks there."""
    seen, at_top = _seen(rows)
    return seen[at_top], np.maximum.accumulate(rows[score].to_numpy(np.float64)[at_top])


def covered_so_far(rows: pd.DataFrame, *, score: str, max_macs: int) -> Curve:
    """Return what is `hypervolume.covered` by the top rung up to each of one search's networks there."""
    seen, at_top = _seen(rows)
    score_N, macs_N = (rows[key].to_numpy(np.float64)[at_top] for key in (score, "macs"))
    ends = range(1, len(score_N) + 1)
    shares = [covered(score_N[:end], macs_N[:end], max_macs=max_macs) for end in ends]
    return seen[at_top], np.array(shares, np.float64)


def _seen(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the images seen up to and with each network (N,), and which ones are of the top rung."""
    seen_N = np.cumsum(rows["samples"].to_numpy(np.int64))
    return seen_N, (rows["rung"] == rows["rung"].max()).to_numpy()


def _draw(axis: Axes, curves: Sequence[Curve], method: str) -> None:
    """Draw a method's curve, or the mean of several with its band."""
    style = METHODS[method]
    line: dict[str, Any] = {"color": style.color, "linestyle": style.linestyle}
    seen, values = curves[0]
    words = method
    if len(curves) > 1:
        seen, means = _mean(curves)
        values = np.array([found.value for found in means])
        halves = np.array([found.half or 0.0 for found in means])
        words = f"{method}, mean of {len(curves)} folds"
        low, high = np.maximum(values - halves, 0), np.minimum(values + halves, 1)
        band: dict[str, Any] = {"step": "post", "color": style.color, "alpha": 0.14, "linewidth": 0}
        axis.fill_between(seen, low, high, label=f"{method}, 95 % (t over folds)", **band)
        for edge in (low, high):
            axis.step(seen, edge, where="post", linewidth=0.7, alpha=0.6, **line)
    axis.step(seen, values, where="post", linewidth=2.0, label=words, **line)
    axis.plot(
        seen[-1], values[-1], color=style.color, marker=style.marker, markersize=6, clip_on=False,
        markerfacecolor=style.face, zorder=4,
    )  # fmt: skip


def _mean(curves: Sequence[Curve]) -> tuple[np.ndarray, list[student.Mean]]:
    """Return where any of the curves steps while all are known, and their mean with interval there."""
    start, end = max(seen[0] for seen, _ in curves), min(seen[-1] for seen, _ in curves)
    steps = np.unique(np.concatenate([seen for seen, _ in curves]))
    steps = steps[(steps >= start) & (steps <= end)]
    if not len(steps):  # one fold was over before another began: only the ends can be compared
        return np.array([end]), [student.mean([float(values[-1]) for _, values in curves])]
    rows = [values[np.searchsorted(seen, steps, side="right") - 1] for seen, values in curves]
    return steps, [student.mean(column) for column in np.stack(rows, axis=1).tolist()]
