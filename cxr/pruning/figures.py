"""What pruning found, as figures: who was tried, which channels stay, what a short training makes of cuts.

Each function takes the report's tables (see `tables`) and returns a matplotlib figure in the house
style. Every method has a marker of its own, besides its colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cxr import artifacts
from cxr.pruning.methods import PICK, WORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class _Style(NamedTuple):
    color: str
    marker: str


_INK, _FAINT = "#222222", "#999999"
_COLORS = (*artifacts.PALETTE[:5], "#8C564B", artifacts.PALETTE[5], artifacts.PALETTE[7])
_STYLES = dict(zip(WORDS, map(_Style, _COLORS, "os^Dv*XP"), strict=True))
_RING: dict[str, Any] = {
    "linestyle": "none", "marker": "o", "markersize": 13, "markerfacecolor": "none",
    "markeredgecolor": _INK, "markeredgewidth": 1.4, "clip_on": False,
}  # fmt: skip
_TRIED, _COMPARED = (-0.45, -0.05), (0.06, 0.44)  # where they stand beside their share's tick
_CHANNELS = {  # which cuts' channels are drawn: words, style, height above the middle of the row
    PICK: ("handed over", _Style(_INK, "D"), -0.25),
    "evolved": ("evolved", _STYLES["evolved"], 0.0),
    "uniform": ("uniform", _STYLES["uniform"], 0.25),
}


def front(
    candidates: pd.DataFrame, contests: pd.DataFrame, *, parents: Sequence[tuple[int, float]], title: str
) -> Figure:  # fmt: skip
    """Draw AUROC on search_val before any training, at each share of the MACs, a panel per fold.

    All networks of a share cost about the same, so within a share they stand side by side: on the left
    those that the search tried, in their order, on the right those that compete, method by method.
    `parents` holds each fold's MACs and AUROC of the parent.
    """
    shares, folds = list(dict.fromkeys(contests["share"])), len(parents)
    columns = min(folds, 3)
    rows = -(-folds // columns)
    width = columns * (1.6 + 1.5 * len(shares)) + 1.5 * (folds == 1)
    figure, axes = artifacts.new_figure(
        max(width, 6.2), 4.3 if rows == 1 else 1.0 + 2.8 * rows, rows, columns
    )
    tried, panels = candidates[candidates["rung"] == 0], np.ravel(axes)
    low, high = _span(
        [tried["auroc"], contests["auroc"], pd.Series([auroc for _, auroc in parents])]
    )
    for fold, (_, auroc) in enumerate(parents):
        axis = panels[fold]
        _tried(axis, tried[tried["fold"] == fold], shares)
        _compared(axis, contests[contests["fold"] == fold], shares)
        axis.axhline(
            auroc, color=_INK, linewidth=1, linestyle=(0, (1, 1.5)), label="parent, all MACs", zorder=2
        )  # fmt: skip
        axis.set(
            xlim=(-0.5, len(shares) - 0.5), ylim=(low, high), xlabel="share of the parent's MACs"
        )
        axis.set_xticks(range(len(shares)), [f"{share} %" for share in shares])
        axis.grid(False, axis="x")
        axis.set_ylabel("" if fold % columns else "AUROC on search_val")
        if folds > 1:
            axis.set_title(f"fold {fold}")
    for axis in panels[folds:]:
        axis.set_visible(False)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center",
        ncols=5 if width > 7 else 4, fontsize=8,
    )  # fmt: skip
    figure.suptitle(f"{title}: cut networks, before any training", fontsize=10, fontweight="bold")
    return figure


def _tried(axis: Axes, tried: pd.DataFrame, shares: Sequence[int]) -> None:
    """Draw one fold's candidates, share by share from left to right as they were tried."""
    for place, share in enumerate(shares):
        if place % 2 == 0 and len(shares) > 1:
            axis.axvspan(place - 0.5, place + 0.5, color="#F6F6F6", linewidth=0, zorder=0)
        scores = tried[tried["share"] == share]["auroc"].to_numpy()
        across = place + np.linspace(*_TRIED, len(scores))
        axis.plot(
            across, scores, linestyle="none", marker=".", markersize=4, color="#BBBBBB",
            label="_" if place else "tried, first to last", zorder=1,
        )  # fmt: skip
        axis.plot(
            across, np.maximum.accumulate(scores), drawstyle="steps-post", linewidth=1.2,
            color=_STYLES["evolved"].color, alpha=0.6,
            label="_" if place else "best so far", zorder=2,
        )  # fmt: skip


def _compared(axis: Axes, contest: pd.DataFrame, shares: Sequence[int]) -> None:
    """Draw one fold's entrants of the contest, and who was handed over."""
    slots = dict(zip(WORDS, np.linspace(*_COMPARED, len(WORDS)), strict=True))
    at = contest["share"].map({share: place for place, share in enumerate(shares)})
    at = at + contest["method"].map(slots)
    for method, style in _STYLES.items():
        own = contest["method"] == method
        if not own.any():
            continue
        axis.plot(
            at[own], contest["auroc"][own], linestyle="none", marker=style.marker, markersize=6.5,
            color=style.color, markeredgecolor="white", markeredgewidth=0.6, label=WORDS[method],
            zorder=3,
        )  # fmt: skip
    chosen = contest["chosen"] == 1
    axis.plot(at[chosen], contest["auroc"][chosen], label="handed over", zorder=4, **_RING)


def _span(scores: Sequence[pd.Series]) -> tuple[float, float]:
    """Return the ends of an axis with some air around what it shows."""
    low, high = min(one.min() for one in scores), max(one.max() for one in scores)
    air = max(0.06 * (high - low), 0.005)
    return low - air, high + air


def channels(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw the share of its channels that each group keeps, in network order from the top, a panel per share.

    Large marks are means over folds, small ones the folds where there are several.
    """
    names = list(dict.fromkeys(table["group"]))
    shares = [
        name.removeprefix(f"{PICK}_") for name in map(str, table) if name.startswith(f"{PICK}_")
    ]
    columns = len(shares)
    figure, axes = artifacts.new_figure(2.6 + 4.2 * columns, 1.5 + 0.23 * len(names), 1, columns)
    for axis, share in zip(np.ravel(axes), shares, strict=True):
        _channels(axis, table, names, share)
        axis.set(title=f"{share} % of the MACs", xlabel="share of the parent's channels")
    widths = table.groupby("group")["parent"]
    words = [_name(name, widths.min()[name], widths.max()[name]) for name in names]
    for place, axis in enumerate(np.ravel(axes)):
        axis.set_yticks(range(len(names)), words if place == 0 else [""] * len(names), fontsize=7.5)
    handles = np.ravel(axes)[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    figure.suptitle(f"{title}: channels kept", fontsize=10, fontweight="bold")
    return figure


def _channels(axis: Axes, table: pd.DataFrame, names: list[str], share: str) -> None:
    """Draw what the cuts of one share keep of each group."""
    place = {name: row for row, name in enumerate(names)}
    for name in names[::2]:
        axis.axhspan(place[name] - 0.5, place[name] + 0.5, color="#F6F6F6", linewidth=0, zorder=0)
    for cut, (words, style, shift) in _CHANNELS.items():
        kept = table[f"{cut}_{share}"] / table["parent"]
        means = kept.groupby(table["group"]).mean()
        heights = [place[name] + shift for name in names]
        axis.hlines(heights, 0, means[names], color=style.color, linewidth=1, alpha=0.4)
        if table["fold"].nunique() > 1:
            axis.plot(
                kept, table["group"].map(place) + shift, linestyle="none", marker=style.marker,
                markersize=2, color=style.color, alpha=0.5,
            )  # fmt: skip
        axis.plot(
            means[names], heights, linestyle="none", marker=style.marker, markersize=4.5,
            color=style.color, label=words, markeredgecolor="white", markeredgewidth=0.5,
            clip_on=False,
        )  # fmt: skip
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlim(0, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.grid(False, axis="y")


def _name(group: str, least: int, most: int) -> str:
    """Return a group's first layer and its channels, as a range where folds differ."""
    return f"{group.removeprefix('backbone.')}  ({least if least == most else f'{least}–{most}'})"


def contest(contests: pd.DataFrame, *, parents: Sequence[tuple[int, float]], title: str) -> Figure:
    """Draw each entrant's AUROC on search_val as cut and after the short training, a panel per share.

    Marks are means over folds, faint ones the folds after the training where there are several.
    """
    shares = list(dict.fromkeys(contests["share"]))
    lines = list(dict.fromkeys(zip(contests["method"], contests["number"], strict=True)))
    lines.sort(key=lambda line: (list(WORDS).index(line[0]), line[1]))
    columns = len(shares)
    width = 7.6 if columns == 1 else 2.0 + 4.4 * columns
    figure, axes = artifacts.new_figure(width, 1.7 + 0.3 * len(lines), 1, columns)
    for axis, share in zip(np.ravel(axes), shares, strict=True):
        own = contests[contests["share"] == share]
        axis.axvline(
            float(np.mean([auroc for _, auroc in parents])), color=_INK, linewidth=1,
            linestyle=(0, (1, 1.5)), label="parent", zorder=1,
        )  # fmt: skip
        for place, (method, number) in enumerate(lines):
            rows = own[(own["method"] == method) & (own["number"] == number)]
            if len(rows):
                _line(axis, place, rows, _STYLES[method])
        words = [_words(own, *line, folds=len(parents)) for line in lines]
        axis.set(
            title=f"{share} % of the MACs",
            xlabel="AUROC on search_val",
            ylim=(len(lines) - 0.5, -0.5),
        )
        axis.set_yticks(range(len(lines)), words)
        axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axis.grid(False, axis="y")
    handles = dict(zip(*reversed(np.ravel(axes)[0].get_legend_handles_labels()), strict=True))
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=3, fontsize=8
    )
    figure.suptitle(
        f"{title}: cuts before and after a short training", fontsize=10, fontweight="bold"
    )
    return figure


def _line(axis: Axes, place: int, rows: pd.DataFrame, style: _Style) -> None:
    """Draw one entrant: an open mark as cut, a line, a full mark after the training."""
    before, after = rows["auroc"].mean(), rows["contest_auroc"].mean()
    axis.plot([before, after], [place, place], color=style.color, linewidth=1.2, alpha=0.5)
    mark: dict[str, Any] = {"linestyle": "none", "marker": style.marker, "zorder": 3}
    axis.plot(
        before, place, markersize=6, markerfacecolor="white", markeredgecolor=style.color,
        label="as cut" if not place else "_", **mark,
    )  # fmt: skip
    axis.plot(after, place, markersize=7, color=style.color, label="after the short training" if not place else "_", **mark)  # fmt: skip
    if len(rows) > 1:
        axis.plot(rows["contest_auroc"], [place + 0.27] * len(rows), markersize=2.5, color=style.color, alpha=0.6, **mark)  # fmt: skip


def _words(rows: pd.DataFrame, method: str, number: int, *, folds: int) -> str:
    """Return an entrant's name, and where it was handed over."""
    several = (rows[rows["method"] == method]["number"]).max() > 1
    name = f"{WORDS[method]} {number}" if several else WORDS[method]
    won = int(rows[(rows["method"] == method) & (rows["number"] == number)]["chosen"].sum())
    if not won:
        return name
    return f"{name} ★" if folds == 1 else f"{name} ★ {won} of {folds}"
