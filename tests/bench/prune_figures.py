"""Figures of `make bench-prune`: every method at every share, and how a fitness ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from cxr import artifacts
from cxr.pruning.contest import EVOLVED
from tests.bench.prune_rows import PARENT, TRAINED_ON
from tests.bench.prune_verdict import BASELINES, WORDS, Resamples, Share, paired, shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK = "#222222"
_UNCUT = {PARENT: ("parent", "--"), TRAINED_ON: ("trained on", ":")}


def verdict(rows: pd.DataFrame, resamples: Resamples) -> Figure:
    """Draw, for each data set and share, each method's AUROC and evolved less each baseline."""
    all_shares = list(shares(rows, resamples))
    drawn, axes = artifacts.new_figure(10.0, 0.4 + 2.9 * len(all_shares), len(all_shares), 2)
    for share, (left, right) in zip(all_shares, axes.reshape(-1, 2), strict=True):
        part = share.rows["part"].iloc[0]
        _scores(left, share)
        left.set_title(f"{share.data}, {share.percent} % of the MACs\nAUROC on {part}")
        _differences(right, share)
        right.set_title(f"{share.data}, {share.percent} %\nevolved - baseline")
    return drawn


def _scores(axis: Axes, share: Share) -> None:
    names = list(reversed(share.methods))
    for place, method in enumerate(names):
        found = share.scores(method)
        axis.plot(found, [place] * len(found), marker="o", markersize=4, linestyle="", alpha=0.5,
                  color=artifacts.PALETTE[0 if method == EVOLVED else 1])  # fmt: skip
        axis.plot(found.mean(), place, marker="D", markersize=6, color=_INK)
    _uncut(axis, share, top=len(names) - 0.45)
    _finish(axis, names)


def _uncut(axis: Axes, share: Share, *, top: float) -> None:
    """Draw where the parent and the parent trained on are, their words turned away from each other."""
    means = {method: share.scores(method).mean() for method in share.uncut}
    for method, mean in means.items():
        words, style = _UNCUT[method]
        side = "right" if len(means) > 1 and mean == min(means.values()) else "left"
        axis.axvline(mean, color=_INK, linewidth=1.0, linestyle=style)
        axis.text(mean, top, f" {words} ", ha=side, va="center", fontsize=8)


def _differences(axis: Axes, share: Share) -> None:
    """Mark each seed's difference, the mean, and Student's interval where there are several seeds."""
    names = [method for method in reversed(BASELINES) if method in share.methods]
    axis.axvline(0.0, color=_INK, linewidth=1.0)
    for place, method in enumerate(names):
        found = paired(share, EVOLVED, method)
        seeds = list(found["seeds"].values())
        axis.plot(seeds, [place] * len(seeds), marker="o", markersize=4, linestyle="", alpha=0.5,
                  color=artifacts.PALETTE[0])  # fmt: skip
        half = None if found["low"] is None else found["mean"] - found["low"]
        axis.errorbar(
            found["mean"], place, xerr=half, marker="D", markersize=6, color=_INK, capsize=4
        )
    _finish(axis, names)


def _finish(axis: Axes, names: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_yticks(range(len(names)), [WORDS[name] for name in names])
    axis.set_ylim(-0.6, len(names) - 0.1)
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.grid(axis="y", visible=False)


def validity(table: pd.DataFrame, summary: dict[str, Any], measures: dict[str, str]) -> Figure:
    """Draw each share's final AUROC against what is known before it; measures: columns and words."""
    percents = list(dict.fromkeys(table["share"]))
    width = 2.5 * len(measures)
    drawn, axes = artifacts.new_figure(
        width, 0.3 + 2.8 * len(percents), len(percents), len(measures)
    )
    for percent, row in zip(percents, axes.reshape(len(percents), -1), strict=True):
        mine = table[table["share"] == percent]
        taus = summary[str(percent)]["final_auroc"]["tau"]
        for axis, (column, words) in zip(row, measures.items(), strict=True):
            known = mine["again_auroc" if column == "again" else column]
            axis.plot(known, mine["final_auroc"], marker="o", markersize=3.5, linestyle="",
                      alpha=0.7, color=artifacts.PALETTE[0])  # fmt: skip
            tau = taus[column]["value"]
            said = "undefined" if tau is None else f"{tau:+.2f}"
            axis.set_title(f"{percent} %: {words}\ntau {said}", fontsize=8)
            axis.tick_params(labelsize=7)
        row[0].set_ylabel("AUROC on val, fine-tuned")
    return drawn
