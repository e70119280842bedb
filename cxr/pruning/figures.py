"""What pruning found, as figures: the front against the baselines, kept channels, fine-tuning.

Each function takes the report's tables (see `tables`) and returns a matplotlib figure in the house
style. Every kind of point has a shape and every kind of line a dash of its own, besides its colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from cxr import artifacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EVOLVED, _UNIFORM, _GLOBAL = artifacts.PALETTE[:3]
_INK, _FAINT = "#222222", "#999999"
_STYLES: dict[str, dict[str, Any]] = {
    "evolved": {"color": _EVOLVED, "marker": "o", "linestyle": "-", "label": "evolved front"},
    "uniform": {"color": _UNIFORM, "marker": "s", "linestyle": "--", "label": "uniform"},
    "global": {"color": _GLOBAL, "marker": "^", "linestyle": ":", "label": "global L1"},
}
_CUTS = {"pruned": _STYLES["evolved"], "uniform": _STYLES["uniform"]}
_RING: dict[str, Any] = {
    "linestyle": "none", "marker": "o", "markersize": 13, "markerfacecolor": "none",
    "markeredgecolor": _INK, "markeredgewidth": 1.4,
}  # fmt: skip
_WORDS = {"pruned": "evolved", "uniform": "uniform"}


def front(
    candidates: pd.DataFrame,
    *,
    parents: Sequence[tuple[int, float]],
    wanted: float,
    title: str,
) -> Figure:
    """Draw AUROC on search_val against the share of the parent's MACs, a panel per fold.

    `parents` holds each fold's MACs and AUROC of the parent, `wanted` is the share asked for.
    """
    columns = min(len(parents), 3)
    rows = -(-len(parents) // columns)
    width = 5.6 if columns == 1 else 3.6 * columns
    figure, axes = artifacts.new_figure(width, 3.9 if rows == 1 else 2.9 * rows, rows, columns)
    panels = np.ravel(axes)
    low = min([candidates["auroc"].min(), *(auroc for _, auroc in parents)])
    high = max([candidates["auroc"].max(), *(auroc for _, auroc in parents)])
    pad = max(0.06 * (high - low), 0.005)
    for fold, (macs, auroc) in enumerate(parents):
        axis = panels[fold]
        _front(axis, candidates[candidates["fold"] == fold], macs=macs)
        axis.axhline(
            auroc, color=_INK, linewidth=1, linestyle=(0, (1, 1.5)), label="parent, all MACs"
        )
        axis.axvline(
            wanted, color=_FAINT, linewidth=1, linestyle=(0, (5, 3)), label="MACs asked for"
        )
        axis.set(xlabel="share of the parent's MACs", ylabel="AUROC on search_val")
        axis.set_ylim(low - pad, high + pad)
        axis.set_xlim(0, wanted * 1.06)
        axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axis.set_title(f"fold {fold}" if len(parents) > 1 else f"{title}: cut, before fine-tuning")
    for axis in panels[len(parents) :]:
        axis.set_visible(False)
    handles, words = panels[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=4, fontsize=8)
    if len(parents) > 1:
        figure.suptitle(f"{title}: cut, before fine-tuning", fontsize=10, fontweight="bold")
    return figure


def _front(axis: Axes, found: pd.DataFrame, *, macs: int) -> None:
    """Draw one fold's candidates, their front, the baselines and the pick."""
    share = found["macs"] / macs
    axis.plot(
        share, found["auroc"], linestyle="none", marker=".", markersize=4, color="#BBBBBB",
        label="other networks tried", zorder=1,
    )  # fmt: skip
    chosen = {"evolved": found["front"] == 1}
    chosen |= {name: found["origin"] == name for name in ("uniform", "global")}
    for name, rows in chosen.items():
        ordered, evolved = found[rows].sort_values("macs", kind="stable"), name == "evolved"
        axis.plot(
            ordered["macs"] / macs, ordered["auroc"], linewidth=1.4, zorder=2 if evolved else 3,
            markersize=7 if evolved else 4.5,  # both are seen where they fall together
            drawstyle="steps-post" if evolved else "default", **_STYLES[name],
        )  # fmt: skip
    pick = found[found["picked"] == 1]
    axis.plot(pick["macs"] / macs, pick["auroc"], label="picked", zorder=4, clip_on=False, **_RING)


def channels(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw the share of its channels that each group keeps, in network order from the top.

    Large marks are means over folds, small ones the folds where there are several.
    """
    names = list(dict.fromkeys(table["group"]))
    place = {name: row for row, name in enumerate(names)}
    figure, axis = artifacts.new_figure(6.6, 1.5 + 0.2 * len(names))
    shift = {"pruned": -0.14, "uniform": 0.14}
    shares = {cut: table[cut] / table["parent"] for cut in _CUTS}
    means = {cut: shares[cut].groupby(table["group"]).mean() for cut in _CUTS}
    for name in names[::2]:
        axis.axhspan(place[name] - 0.5, place[name] + 0.5, color="#F6F6F6", linewidth=0, zorder=0)
    for cut, style in _CUTS.items():
        heights = [place[name] + shift[cut] for name in names]
        axis.hlines(heights, 0, means[cut][names], color=style["color"], linewidth=1, alpha=0.5)
        if table["fold"].nunique() > 1:
            axis.plot(
                shares[cut], table["group"].map(place) + shift[cut], linestyle="none",
                marker=style["marker"], markersize=2.5, color=style["color"], alpha=0.6,
            )  # fmt: skip
        axis.plot(
            means[cut][names], heights, linestyle="none", marker=style["marker"], markersize=5,
            color=style["color"], label=_WORDS[cut], markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip
    widths = table.groupby("group")["parent"]
    words = [_name(name, widths.min()[name], widths.max()[name]) for name in names]
    axis.set_yticks(range(len(names)), words, fontsize=7.5)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlim(0, 1.02)
    axis.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axis.grid(False, axis="y")
    axis.set(title=f"{title}: channels kept", xlabel="share of the parent's channels")
    figure.legend(
        *axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8
    )
    return figure


def _name(group: str, least: int, most: int) -> str:
    """Return a group's first layer and its channels, as a range where folds differ."""
    return f"{group.removeprefix('backbone.')}  ({least if least == most else f'{least}–{most}'})"


def history(table: pd.DataFrame, *, title: str) -> Figure:
    """Draw loss and val metrics of both fine-tuned cuts, one line per fold; a ring where val chose."""
    figure, axes = artifacts.new_figure(9.6, 3.4, columns=3)
    panels = {
        "train_loss": "loss on train, labels and parent",
        "val_loss": "loss on val",
        "val_auroc": "AUROC on val",
    }
    for axis, (key, words) in zip(axes, panels.items(), strict=True):
        for (_, cut), curve in table.groupby(["fold", "model"], sort=False):
            style = _CUTS[str(cut)]
            axis.plot(
                curve["epoch"] + 1, curve[key], color=style["color"], marker=style["marker"],
                linestyle=style["linestyle"], markersize=3.5, linewidth=1.3, alpha=0.85,
                label=_WORDS[str(cut)],
            )  # fmt: skip
        kept = table[table["kept"] == 1]
        axis.plot(
            kept["epoch"] + 1, kept[key], label="kept", clip_on=False,
            **{**_RING, "markersize": 9, "markeredgewidth": 1.1},
        )  # fmt: skip
        axis.set(title=words, xlabel="epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if key.endswith("loss"):
            axis.set_ylim(0, None)
    handles, words = axes[0].get_legend_handles_labels()
    first = dict(zip(reversed(words), reversed(handles), strict=True))
    names = [*_WORDS.values(), "kept"]
    figure.legend(
        [first[name] for name in names], names, loc="outside lower center", ncols=3, fontsize=8
    )
    figure.suptitle(f"{title}: fine-tuning", fontsize=10, fontweight="bold")
    return figure
