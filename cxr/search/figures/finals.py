"""What finalists and baselines are worth, trained anew alike: dots, means and their t-intervals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import EngFormatter, MaxNLocator

from cxr import artifacts
from cxr.metrics import student
from cxr.search.figures.style import INK, METHODS, SCORES, baselines, mark, methods, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANELS = {"search_val": "search_val: chose the picks", "val": "val: chose nothing"}


class _Line(NamedTuple):
    """One line of the plot."""

    words: str
    rows: pd.DataFrame
    color: str
    marker: str
    face: str
    picked: bool


def finalists(table: pd.DataFrame, *, score: str, title: str) -> Figure:
    """Draw each finalist's score on search_val and val: repeats faint, mean with 95 % t-interval.

    One fold: a line per network, repeats are seeds. Several folds: a line per method's pick and per
    baseline, repeats are the folds' means over seeds. An arrow says that an interval goes on.
    """
    several = table["fold"].nunique() > 1
    lines = list(_lines(table, several=several))
    figure, axes = artifacts.new_figure(9.4, 1.5 + 0.36 * len(lines), columns=2)
    shown = table[[f"{part}_{score}" for part in _PANELS]].to_numpy(np.float64)
    low, high = span(float(np.nanmin(shown)), float(np.nanmax(shown)))
    air = 0.35 * (high - low)
    for axis, (part, words) in zip(axes, _PANELS.items(), strict=True):
        axis.set(
            title=words, xlabel=SCORES[score], xlim=(max(low - air, -0.02), min(high + air, 1.02)),
            ylim=(len(lines) - 0.4, -0.6), yticks=range(len(lines)),
            yticklabels=[_words(line) for line in lines] if axis is axes[0] else [],
        )  # fmt: skip
        axis.tick_params(axis="y", length=0, pad=9)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        for y, line in enumerate(lines):
            _draw(axis, y, line, f"{part}_{score}", several=several)
    for label, line in zip(axes[0].get_yticklabels(), lines, strict=True):
        label.set(fontweight="bold" if line.picked else "normal", color=INK)
    seeds, repeats = table["seed"].nunique(), "folds" if several else "seeds"
    figure.suptitle(
        f"{title}: finalists, each trained anew with {seeds} seed{'s' * (seeds > 1)}",
        x=0.01, ha="left", fontsize=10, fontweight="bold",
    )  # fmt: skip
    figure.supxlabel(f"faint: single {repeats}; line: 95 % of their mean (Student's t), an arrow where it goes on", fontsize=8)  # fmt: skip
    return figure


def _lines(table: pd.DataFrame, *, several: bool) -> Iterator[_Line]:
    for method in methods(table):
        style, mine = METHODS[method], table[table["method"] == method]
        look = style.color, style.marker, style.face
        if several:
            yield _Line(f"{method}: picks", mine[mine["picked"] == 1], *look, picked=True)
            continue
        # in their order in the table: best first at the top rung
        for place, (_, rows) in enumerate(mine.groupby("network", sort=False), start=1):
            picked = bool(rows["picked"].iloc[0])
            yield _Line(f"{method} {place}" + " ★ picked" * picked, rows, *look, picked=picked)
    for place, (name, rows) in enumerate(baselines(table).items()):
        yield _Line(name, rows, INK, mark(place), INK, picked=False)


def _words(line: _Line) -> str:
    """Return a line's words with its MACs, of several networks their mean."""
    return f"{line.words}, {EngFormatter(places=0, sep=' ')(line.rows['macs'].mean())} MACs"


def _draw(axis: Axes, y: int, line: _Line, column: str, *, several: bool) -> None:
    """Draw one line's repeats and their mean."""
    values = line.rows.groupby("fold")[column].mean() if several else line.rows[column]
    values = values.dropna()
    if not len(values):  # all of them diverged
        return
    found = student.mean(values.tolist())
    faint: dict[str, Any] = {"color": line.color, "alpha": 0.4, "linewidth": 0}
    axis.scatter(values, [y + 0.22] * len(values), s=12, marker=line.marker, **faint)
    left, right = axis.get_xlim()
    if found.low is not None and found.high is not None:
        axis.plot([max(found.low, left), min(found.high, right)], [y, y], color=line.color, linewidth=1.6)  # fmt: skip
        for inside, place, arrow in ((found.low >= left, left, "<"), (found.high <= right, right, ">")):  # fmt: skip
            if not inside:
                axis.plot(place, y, marker=arrow, color=line.color, markersize=5, clip_on=False)
    axis.plot(
        found.value, y, marker=line.marker, color=line.color, markerfacecolor=line.face,
        markersize=8, zorder=4,
    )  # fmt: skip
