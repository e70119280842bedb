"""What the review draws itself: differences with their intervals, and learning curves before and now.

Each function returns a matplotlib figure in the house style, or None where there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from cxr import artifacts
from cxr.review.differences import METRICS, Difference, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES: dict[Verdict, tuple[str, str]] = {
    "better": (artifacts.PALETTE[2], "^"),
    "worse": (artifacts.PALETTE[1], "v"),
    "noise": ("#666666", "o"),
    "same": ("#666666", "s"),
    "chance": (artifacts.PALETTE[0], "D"),
}
WORDS: dict[Verdict, str] = {
    "better": "better",
    "worse": "worse",
    "noise": "no more than noise",
    "same": "the same",
    "chance": "chance: only the seed changed",
    "alone": "nothing to compare with",
}
_FAINT = "#999999"
MOST_CURVES = 6  # runs that are drawn


def forest(found: Sequence[Difference]) -> Figure | None:
    """Draw each difference with its interval, AUROC left and accuracy right, a line per model."""
    tested = [one for one in found if one.value is not None]
    names = list(dict.fromkeys(one.model for one in tested))
    if not names:
        return None
    figure, axes = artifacts.new_figure(8.6, 1.7 + 0.34 * len(names), 1, len(METRICS))
    drawn: set[Verdict] = set()
    for axis, (metric, words) in zip(axes, METRICS.items(), strict=True):
        axis.axvline(0, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
        for one in (one for one in tested if one.metric == metric):
            assert one.value is not None and one.low is not None and one.high is not None
            colour, marker = _STYLES[one.verdict]
            drawn.add(one.verdict)
            # the point of a skewed resampling can lie outside its percentile interval
            sides = [[max(one.value - one.low, 0)], [max(one.high - one.value, 0)]]
            axis.errorbar(
                one.value, -names.index(one.model), xerr=sides, color=colour, marker=marker,
                markersize=6, capsize=3, linewidth=1.4, linestyle="none",
            )  # fmt: skip
        axis.set_yticks(
            [-i for i in range(len(names))], [_literal(x) for x in names] if axis is axes[0] else []
        )
        axis.set(xlabel=f"{words}, now minus before", ylim=(0.6 - len(names), 0.6))
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.grid(axis="y", visible=False)
    for verdict in (verdict for verdict in _STYLES if verdict in drawn):
        colour, marker = _STYLES[verdict]
        axes[0].plot([], [], color=colour, marker=marker, linestyle="none", label=WORDS[verdict])
    figure.legend(loc="outside upper left", ncols=3, fontsize=8)
    return figure


def curves(before: Mapping[str, pd.DataFrame], now: Mapping[str, pd.DataFrame]) -> Figure | None:
    """Draw loss and AUROC on val over the epochs, before and now, for the runs given (history.csv)."""
    names = [name for name in now if name in before][:MOST_CURVES]
    columns = {"val_loss": "loss on val", "val_auroc": "AUROC on val"}
    if not names:
        return None
    figure, axes = artifacts.new_figure(8.6, 0.9 + 1.9 * len(names), len(names), len(columns))
    for row, name in zip(np.reshape(axes, (len(names), len(columns))), names, strict=True):
        for axis, (column, words) in zip(row, columns.items(), strict=True):
            for side, table, colour, dash in (
                ("before", before[name], _FAINT, "--"),
                ("now", now[name], artifacts.PALETTE[0], "-"),
            ):
                for fold, rows in table.groupby("fold") if column in table else []:
                    label = side if fold == table["fold"].min() else None
                    axis.plot(rows["epoch"], rows[column], color=colour, linestyle=dash, label=label)  # fmt: skip
            axis.set(
                title=_literal(name), xlabel="epoch" if name == names[-1] else "", ylabel=words
            )
    handles, labels = np.reshape(axes, -1)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2, fontsize=8)
    return figure


def _literal(name: str) -> str:
    """Return text that matplotlib draws as it stands: `$` would open a formula."""
    return name.replace("$", r"\$")
