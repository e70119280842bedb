"""What a model's results look like: ROC curves, confusion matrix, reliability; models against cost.

Each function takes arrays and returns a matplotlib figure in the house style. Shapes: see
`cxr.metrics`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from cxr import artifacts
from cxr.metrics import auroc, calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("-", "--", ":", "-.")
_INK, _FAINT = "#222222", "#999999"


def roc(
    labels_NL: np.ndarray,
    scores_NL: np.ndarray,
    names: Sequence[str],
    aurocs: Mapping[str, Mapping[str, float | None]],
    *,
    title: str,
) -> Figure:
    """Draw each label's ROC curve against the rest and their macro average.

    `aurocs` holds value, low and high of each label and of "macro", as the summary has them.
    """
    inside = len(names) <= 6
    longest = max(map(len, names))
    figure, axis = artifacts.new_figure(4.6 if inside else 6.4 + 0.06 * longest, 4.6)
    axis.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    grid = np.linspace(0, 1, 501)
    heights = []
    for i in np.flatnonzero(auroc.defined(labels_NL)).tolist():
        false_rate, true_rate = auroc.curve(labels_NL[:, i], scores_NL[:, i])
        heights.append(np.interp(grid, false_rate, true_rate))
        axis.plot(
            false_rate, true_rate, color=_colour(i), linestyle=_dash(i),
            linewidth=1.4, label=f"{_spaced(names[i])}  {_interval_words(aurocs[names[i]])}",
        )  # fmt: skip
    if len(heights) > 1:
        mean = np.r_[0.0, np.mean(heights, axis=0)]
        words = f"macro  {_interval_words(aurocs['macro'])}"
        axis.plot(np.r_[0.0, grid], mean, color=_INK, linewidth=2.4, label=words)
    axis.set(
        title=title, xlabel="false positive rate (1 − specificity)",
        ylabel="true positive rate (sensitivity)", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal",
    )  # fmt: skip
    handles, words = axis.get_legend_handles_labels()
    place = {"loc": "lower right"} if inside else {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    axis.legend(
        handles[1:] + handles[:1], words[1:] + words[:1], title="AUROC (interval)",
        alignment="left", fontsize=8, frameon=True, framealpha=0.85, edgecolor="none", **place,
    )  # fmt: skip
    return figure


def confusion(table_CC: np.ndarray, names: Sequence[str], *, title: str) -> Figure:
    """Draw how each true class (row) was decided: counts, and shares of the row as shade."""
    table_CC = np.asarray(table_CC)
    totals = table_CC.sum(axis=1, keepdims=True)
    side = 2.4 + 0.72 * len(names)
    figure, axis = artifacts.new_figure(side + 1.0, side)
    _shaded(axis, table_CC, table_CC / np.maximum(totals, 1), bold=np.eye(len(names), dtype=bool))
    places = range(len(names))
    axis.set_xticks(places, [_break(name) for name in names], rotation=35 if len(names) > 5 else 0)
    axis.set_yticks(places, [f"{_break(name)}\nn = {n}" for name, n in zip(names, totals[:, 0], strict=True)])  # fmt: skip
    axis.set(title=title, xlabel="predicted class", ylabel="true class")
    return figure


def decisions(tables_L22: np.ndarray, names: Sequence[str], *, title: str) -> Figure:
    """Draw how each label that may combine was decided where it is present, and where it is absent.

    `tables_L22` as `classification.two_by_two` has them: a row of four cells for each label.
    """
    tables_L22 = np.asarray(tables_L22)
    shares = tables_L22 / np.maximum(tables_L22.sum(axis=2, keepdims=True), 1)
    figure, axis = artifacts.new_figure(7.6, 1.9 + 0.46 * len(names))
    right = np.tile([True, False, False, True], (len(names), 1))
    _shaded(axis, tables_L22.reshape(-1, 4), shares.reshape(-1, 4), bold=right)
    axis.set_aspect("auto")
    axis.axvline(1.5, color="white", linewidth=6)
    axis.set_xticks(range(4), ["found", "missed", "false alarm", "cleared"])
    axis.set_yticks(range(len(names)), [_spaced(name) for name in names])
    axis.set(title=title, xlabel="finding present: left, absent: right")
    return figure


def _shaded(axis: Axes, counts: np.ndarray, shares: np.ndarray, *, bold: np.ndarray) -> None:
    """Draw cells of counts, shaded by their share of the true class; `bold`: what was decided rightly."""
    axis.grid(False)
    axis.spines[:].set_visible(False)
    shade = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for place, number in np.ndenumerate(counts):
        share = shares[place]
        axis.text(
            place[1], place[0], f"{number}\n{share:.0%}", ha="center", va="center", linespacing=1.35,
            color="white" if share > 0.55 else _INK, fontsize=9,
            fontweight="bold" if bold[place] else "normal",
        )  # fmt: skip
    axis.tick_params(length=0)
    bar = axis.figure.colorbar(shade, ax=axis, shrink=0.8, format=lambda x, _: f"{x:.0%}")
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)


def reliability(result: calibration.Reliability, *, title: str, claim: str) -> Figure:
    """Draw what came true against what was claimed, and below how often each was claimed."""
    figure, (upper, lower) = artifacts.new_figure(5.0, 4.8, rows=2)
    upper.get_gridspec().set_height_ratios([3.2, 1])
    width = 1 / len(result.count)
    filled = result.count > 0
    middle = (result.edges[:-1] + result.edges[1:]) / 2
    upper.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="perfect")
    observed = result.observed[filled]
    upper.bar(
        middle[filled], observed, width * 0.92, color=_colour(0), alpha=0.28, label="came true"
    )
    upper.plot(
        result.claimed[filled], observed, color=_colour(0), marker="o", markersize=4, linewidth=1.4
    )
    upper.text(
        0.03, 0.95, f"ECE {result.ece:.3f}", transform=upper.transAxes, va="top",
        fontweight="bold", color=_INK,
    )  # fmt: skip
    upper.set(title=title, ylabel="share that came true", xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(loc="upper left", bbox_to_anchor=(0, 0.9))
    lower.bar(middle, result.count, width * 0.92, color=_colour(0), alpha=0.75)
    lower.set(xlabel=claim, ylabel="count", xlim=(0, 1))
    return figure


def tradeoff(
    names: Sequence[str],
    costs: Mapping[str, Sequence[float]],
    metrics: Mapping[str, Sequence[Mapping[str, float | None]]],
    chance: Mapping[str, float],
    *,
    parents: Mapping[str, str],
) -> Figure:
    """Draw models: each metric (rows) with its interval against each cost (columns, log scale).

    `parents` holds, by model, the one it was made of: they share a colour, a dotted line joins
    them where both are drawn.
    """
    width = 4.3 * len(costs)
    figure, axes = artifacts.new_figure(width, 2.4 * len(metrics), len(metrics), len(costs))
    grid = np.reshape(axes, (len(metrics), len(costs)))
    for row, (metric, found) in enumerate(metrics.items()):
        for column, (cost, amounts) in enumerate(costs.items()):
            axis = grid[row, column]
            _descent(axis, names, amounts, found, parents)
            _scatter(axis, names, amounts, found, chance[metric], _families(names, parents))
            axis.set(xlabel=cost, ylabel=metric)
    handles, words = grid[0, 0].get_legend_handles_labels()
    columns = int(width / (0.55 + 0.07 * max(map(len, names))))  # of text at 8 pt
    figure.legend(
        handles, words, loc="outside upper left", ncols=min(max(columns, 1), 5), fontsize=8
    )
    return figure


def _families(names: Sequence[str], parents: Mapping[str, str]) -> list[int]:
    """Return a number per model, the same for a parent and all that was cut out of it."""
    roots = [parents.get(name, name) for name in names]
    order = {root: i for i, root in enumerate(dict.fromkeys(roots))}
    return [order[root] for root in roots]


def _descent(
    axis: Axes,
    names: Sequence[str],
    amounts: Sequence[float],
    found: Sequence[Mapping[str, float | None]],
    parents: Mapping[str, str],
) -> None:
    """Join each model to its parent, with a dotted line in their colour."""
    places = {
        name: (amount, _float(value["value"]))
        for name, amount, value in zip(names, amounts, found, strict=True)
    }
    for name, family in zip(names, _families(names, parents), strict=True):
        if parents.get(name) in places:
            ends = [places[name], places[parents[name]]]
            axis.plot(*zip(*ends, strict=True), color=_colour(family), linewidth=1, linestyle=":")


def _scatter(
    axis: Axes,
    names: Sequence[str],
    amounts: Sequence[float],
    found: Sequence[Mapping[str, float | None]],
    chance: float,
    families: Sequence[int],
) -> None:
    axis.axhline(chance, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    for i, (name, amount, value) in enumerate(zip(names, amounts, found, strict=True)):
        if value["value"] is None:
            continue
        middle, low, high = (_float(value[key]) for key in ("value", "low", "high"))
        axis.errorbar(
            amount, middle, yerr=[[max(middle - low, 0)], [max(high - middle, 0)]],
            color=_colour(families[i]), marker="osD^vP*X"[i % 8], markersize=6, capsize=3,
            linewidth=1.4, label=_literal(name),
        )  # fmt: skip
    axis.set_xscale("log")
    axis.set_xlim(min(amounts) / 2.5, max(amounts) * 2.5)
    wide = max(amounts) > 10 * min(amounts)
    axis.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axis.xaxis.set_major_formatter(EngFormatter(sep="\u202f"))
    axis.xaxis.set_minor_locator(NullLocator())
    lowest = [_float(value["low"]) for value in found if value["low"] is not None]
    axis.set_ylim(min([chance, *lowest]) - 0.05, 1.0)


def _interval_words(value: Mapping[str, float | None]) -> str:
    if value["value"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f})"


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _colour(i: int) -> str:
    return artifacts.PALETTE[i % 6]  # the two darkest are left for averages and chance


def _dash(i: int) -> str:
    return _DASHES[i // 6 % len(_DASHES)]


def _break(name: str) -> str:
    """Break a label at spaces and underscores for a narrow axis."""
    return _spaced(name).replace(" ", "\n")


def _spaced(name: str) -> str:
    return _literal(name.replace("_", " "))


def _literal(name: str) -> str:
    """Return text that matplotlib draws as it stands: `$` would open a formula."""
    return name.replace("$", r"\$")
