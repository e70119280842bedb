"""What a search looks like: AUROC against MACs of all that was tried, and how fast each method found it.

Evolution is solid, filled and round, random search dashed, hollow and triangular: colour alone never
tells them apart.
Each function takes the table of candidates and returns a matplotlib figure in the house style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

from cxr import artifacts
from cxr.search import candidates

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 5  # panels in a row
_INK, _FAINT = "#222222", "#999999"
_STYLES: dict[str, dict[str, Any]] = {
    "evolved": {"color": artifacts.PALETTE[0], "linestyle": "-", "marker": "o"},
    "random": {"color": artifacts.PALETTE[1], "linestyle": "--", "marker": "^"},
}
_KINDS = ("networks", "front", "picked")
_PICK = {"evolved": ("*", 170), "random": ("s", 150)}  # marker and its area


def front(table: pd.DataFrame, *, max_macs: int, title: str) -> Figure:
    """Draw AUROC on search_val against MACs, a panel per fold; fronts are steps, picks are framed."""
    folds = sorted(set(table["fold"]))
    columns = min(len(folds), _COLUMNS)
    rows = -(-len(folds) // columns)
    width, height = (6.4, 3.6) if columns == 1 else (0.8 + 2.6 * columns, 2.7 * rows)
    figure, axes = artifacts.new_figure(width, 0.9 + height, rows, columns)
    panels = np.reshape(axes, -1)
    for fold, axis in zip(folds, panels, strict=False):
        _panel(axis, table[table["fold"] == fold], max_macs=max_macs)
        axis.set_title(f"fold {fold}" if len(folds) > 1 else f"{title}: networks tried")
        # the same axes for every fold
        axis.set_ylim(min(0.5, float(table["auroc"].min())) - 0.02, 1.015)
        axis.set_xlim(float(table["macs"].min()) / 1.3, max_macs * 1.1)
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if columns == 1 else (1, 3)))
    for axis in panels[len(folds) :]:
        axis.set_visible(False)
    for axis in panels[::columns]:
        axis.set_ylabel("AUROC on search_val")
    for axis in panels[max(len(folds) - columns, 0) : len(folds)]:
        axis.set_xlabel("MACs per image, up to the cap")
    if len(folds) > 1:
        figure.suptitle(
            f"{title}: networks tried", x=0.01, ha="left", fontsize=10, fontweight="bold"
        )
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    words = [f"{method}: {kind}" for kind in _KINDS for method in _STYLES] + ["chance"]
    figure.legend(
        [handles[x] for x in words], words, loc="outside lower center", ncols=4, fontsize=8
    )
    return figure


def _panel(axis: Axes, rows: pd.DataFrame, *, max_macs: int) -> None:
    axis.axhline(0.5, color=_FAINT, linewidth=1, linestyle=":", label="chance")
    for method in ("random", "evolved"):
        style, mine = _STYLES[method], rows[rows["method"] == method]
        axis.scatter(
            mine["macs"], mine["auroc"], s=22, marker=style["marker"], alpha=0.65, linewidth=1.0,
            facecolor=style["color"] if method == "evolved" else "none", edgecolor=style["color"],
            label=f"{method}: networks",
        )  # fmt: skip
        best = mine[mine["front"] == 1].sort_values("macs", kind="stable")
        # what the front commands: beyond its last point nothing better, so the line goes on
        axis.step(
            [*best["macs"], max_macs], [*best["auroc"], best["auroc"].iloc[-1]], where="post",
            color=style["color"], linestyle=style["linestyle"], linewidth=1.5, label=f"{method}: front",
        )  # fmt: skip
    for method in ("random", "evolved"):
        pick = rows[(rows["method"] == method) & (rows["picked"] == 1)]
        colour, (marker, area) = _STYLES[method]["color"], _PICK[method]
        axis.scatter(
            pick["macs"], pick["auroc"], s=area, marker=marker, linewidth=1.2, zorder=4,
            facecolor=colour if method == "evolved" else "none",
            edgecolor=_INK if method == "evolved" else colour, label=f"{method}: picked",
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(EngFormatter(sep="\u202f"))
    axis.xaxis.set_minor_locator(NullLocator())


def progress(table: pd.DataFrame, *, max_macs: int, title: str) -> Figure:
    """Draw the best AUROC so far and the dominated share against networks tried; folds faint, mean bold."""
    figure, (best, covered) = artifacts.new_figure(9.0, 3.6, columns=2)
    for method in ("random", "evolved"):
        style = _STYLES[method]
        found = [rows for _, rows in table[table["method"] == method].groupby("fold")]
        for axis, curves in (
            (best, [candidates.best_so_far(rows) for rows in found]),
            (covered, [candidates.covered_so_far(rows, max_macs=max_macs) for rows in found]),
        ):
            shortest = min(map(len, curves))
            tried = np.arange(1, shortest + 1)
            for curve in curves if len(curves) > 1 else []:
                axis.step(
                    np.arange(1, len(curve) + 1), curve, where="post", color=style["color"],
                    linestyle=style["linestyle"], linewidth=0.8, alpha=0.35,
                )  # fmt: skip
            mean = np.mean([curve[:shortest] for curve in curves], axis=0)
            axis.step(
                tried, mean, where="post", color=style["color"], linestyle=style["linestyle"],
                linewidth=2.0, label=method if len(curves) == 1 else f"{method}, mean of folds",
            )  # fmt: skip
            axis.plot(
                tried[-1], mean[-1], color=style["color"], marker=style["marker"], markersize=6,
                markerfacecolor=style["color"] if method == "evolved" else "white",
            )  # fmt: skip
    best.set(title=f"{title}: best AUROC so far", ylabel="AUROC on search_val")
    covered.set(title=f"{title}: hypervolume", ylabel="share of AUROC 0.5–1 by MACs 0–cap")
    for axis in (best, covered):
        axis.set_xlabel("networks tried")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        handles, words = axis.get_legend_handles_labels()
        axis.legend(handles[::-1], words[::-1], loc="lower right")
    return figure
