"""Every network that was tried: its score on search_val against its MACs, and the fronts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from cxr import artifacts
from cxr.search.figures.style import (
    FAINT,
    INK,
    METHODS,
    SCORES,
    baselines,
    mark,
    methods,
    span,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 5  # panels in a row
_BEYOND = 1.5  # caps that the MAC axis reaches; what costs more stands at its end
_KINDS = ("lower rungs", "top rung", "networks", "front", "picked")


def front(
    candidates: pd.DataFrame, finalists: pd.DataFrame, *, score: str, max_macs: int, title: str
) -> Figure:
    """Draw `score` on search_val against MACs, a panel per fold; fronts are steps, picks are framed.

    Lower rungs are small and faint; fronts are those of the top rung. Baselines of the finalists'
    table are black marks. Networks whose loss is no number stand as crosses on the floor.
    """
    folds = sorted(set(candidates["fold"]))
    columns = min(len(folds), _COLUMNS)
    rows = -(-len(folds) // columns)
    width, height = (6.6, 3.8) if columns == 1 else (0.8 + 2.6 * columns, 2.9 * rows)
    figure, axes = artifacts.new_figure(width, 1.3 + height, rows, columns)
    panels = np.reshape(axes, -1)
    bases = baselines(finalists)
    sane = candidates[candidates["loss"].notna()]
    shown = [
        *sane[score],
        *(x for rows in bases.values() for x in rows[f"search_val_{score}"]),
    ] or [0.5]
    floor, ceiling = span(float(min(shown)), float(max(shown)))
    low_macs = min([*candidates["macs"], *finalists["macs"]]) / 1.3
    for fold, axis in zip(folds, panels, strict=False):
        here = candidates[candidates["fold"] == fold]
        axis.set(xscale="log", xlim=(low_macs, max_macs * _BEYOND), ylim=(floor, ceiling))
        _networks(axis, here, score=score, max_macs=max_macs, floor=floor)
        _baselines(
            axis,
            {name: rows[rows["fold"] == fold] for name, rows in bases.items()},
            score=score,
            max_macs=max_macs,
        )
        axis.set_title(f"fold {fold}" if len(folds) > 1 else f"{title}: networks tried")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if columns == 1 else (1, 3)))
        axis.xaxis.set_major_formatter(EngFormatter(sep="\u202f"))
        axis.xaxis.set_minor_locator(NullLocator())
    for axis in panels[len(folds) :]:
        axis.set_visible(False)
    for axis in panels[::columns]:
        axis.set_ylabel(f"{SCORES[score]} on search_val")
    for axis in panels[max(len(folds) - columns, 0) : len(folds)]:
        axis.set_xlabel("MACs per image")
    if len(folds) > 1:
        figure.suptitle(f"{title}: networks tried", x=0.01, ha="left", fontsize=10, fontweight="bold")  # fmt: skip
    _legend(figure, panels[0], candidates, bases)
    return figure


def _networks(axis: Axes, rows: pd.DataFrame, *, score: str, max_macs: int, floor: float) -> None:
    """Draw one fold's networks, fronts and picks."""
    if score == "auroc" and floor < 0.5:
        axis.axhline(0.5, color=FAINT, linewidth=1, linestyle=":", label="chance")
    axis.axvline(max_macs, color=FAINT, linewidth=1, linestyle="-.", label="cap of MACs")
    top = rows["rung"].max()
    for method in reversed(methods(rows)):
        style, mine = METHODS[method], rows[rows["method"] == method]
        sane = mine[mine["loss"].notna()]
        for kind, tried, size, alpha in (
            ("lower rungs", sane[sane["rung"] < top], 9, 0.35),
            ("top rung" if top else "networks", sane[sane["rung"] == top], 26, 0.8),
        ):
            if len(tried):
                axis.scatter(
                    tried["macs"], tried[score], s=size, marker=style.marker, alpha=alpha,
                    facecolor=style.color if style.filled else "none", edgecolor=style.color,
                    linewidth=0.7 if kind == "lower rungs" else 1.1, label=f"{method}: {kind}",
                )  # fmt: skip
        lost = mine[mine["loss"].isna()]
        if len(lost):
            axis.scatter(
                lost["macs"], [floor] * len(lost), s=30, marker="x", color=style.color,
                linewidth=1.2, clip_on=False, label=f"{method}: diverged",
            )  # fmt: skip
        best = sane[(sane["rung"] == top) & (sane["front"] == 1)].sort_values("macs", kind="stable")
        if len(best):  # beyond its last point nothing better was found, so the line goes on
            axis.step(
                [*best["macs"], max_macs], [*best[score], best[score].iloc[-1]], where="post",
                color=style.color, linestyle=style.linestyle, linewidth=1.6, label=f"{method}: front",
            )  # fmt: skip
        pick = mine[(mine["rung"] == top) & (mine["picked"] == 1)]
        axis.scatter(
            pick["macs"], pick[score], s=190 if style.frame == "*" else 130, marker=style.frame,
            facecolor=style.color if style.frame == "*" else "none", zorder=4, linewidth=1.3, clip_on=False,
            edgecolor=INK if style.frame == "*" else style.color, label=f"{method}: picked",
        )  # fmt: skip


def _baselines(axis: Axes, bases: Mapping[str, pd.DataFrame], *, score: str, max_macs: int) -> None:
    """Draw the means over seeds of the baselines; those beyond the axis stand at its end."""
    edge = max_macs * _BEYOND
    for place, (name, mine) in enumerate(bases.items()):
        macs = int(mine["macs"].iloc[0])
        words = f"{name} ({EngFormatter(places=0, sep=' ')(macs)} MACs →)" if macs > edge else name
        axis.scatter(
            min(macs, edge), mine[f"search_val_{score}"].mean(), s=46, marker=mark(place), color=INK,
            edgecolor="white", linewidth=0.6, zorder=5, clip_on=False, label=f"baseline {words}",
        )  # fmt: skip


def _legend(
    figure: Figure, axis: Axes, candidates: pd.DataFrame, bases: Mapping[str, pd.DataFrame]
) -> None:
    """Put the legend below: a column per method, one for the rest."""
    found = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    kinds = (*_KINDS, "diverged")
    columns = [
        [f"{method}: {kind}" for kind in kinds if f"{method}: {kind}" in found]
        for method in methods(candidates)
    ]
    named = {words for column in columns for words in column}
    rest = [words for words in found if words not in named]
    columns += [part for part in (rest[: len(kinds)], rest[len(kinds) :]) if part]
    longest = max(map(len, columns))
    blank = Line2D([], [], linestyle="none")
    pairs = [
        (found[words], words) if words else (blank, "")
        for column in columns
        for words in [*column, *[""] * (longest - len(column))]
    ]
    handles, words = zip(*pairs, strict=True)
    figure.legend(
        handles, words, loc="outside lower center", ncols=len(columns), fontsize=8, title_fontsize=8,
        title=_budgets(candidates, bases),
    )  # fmt: skip


def _budgets(candidates: pd.DataFrame, bases: Mapping[str, pd.DataFrame]) -> str:
    """Say how many images a network saw: baselines and top rung may differ."""
    samples = sorted(set(candidates["samples"]))
    words = f"images seen by a network: {' / '.join(f'{count:,}' for count in samples)}"
    words += f" (rungs 0–{len(samples) - 1})" if len(samples) > 1 else ""
    for rows in list(bases.values())[:1]:  # all of them alike
        seeds = rows["seed"].nunique()
        words += f"; by a baseline: {rows['samples'].max():,}"
        words += f", mean of {seeds} seeds" if seeds > 1 else ""
    return words
