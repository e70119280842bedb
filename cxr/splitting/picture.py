"""Draw how the labels share each part of a division, one bar per part and fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr import artifacts
from cxr.splitting.holdout import EXCLUDED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(folds: Mapping[str, Any]) -> Figure:
    """Draw `folds` as account.measure returns it; behind each bar stand the images of the part."""
    labels = list(folds["fold_0"]["train"]["labels"])
    figure, axes = artifacts.new_figure(3.4 + 2.6 * len(folds), 3.2, columns=len(folds))
    colours = artifacts.PALETTE
    for axis, (fold, parts) in zip(np.atleast_1d(axes), folds.items(), strict=True):
        shown = [part for part in parts if part != EXCLUDED and parts[part]["images"]]
        counts = np.array([[parts[part]["labels"][name] for name in labels] for part in shown])
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        left = np.cumsum(shares, axis=1) - shares
        for i, name in enumerate(labels):
            axis.barh(shown, shares[:, i], left=left[:, i], label=name, edgecolor="white",
                      color=colours[i % len(colours)], alpha=1.0 if i < len(colours) else 0.5)  # fmt: skip
        for row, part in enumerate(shown):
            axis.text(1.02, row, f"{parts[part]['images']:,}", va="center", fontsize=8)
        axis.set(xlim=(0, 1), xlabel="share of the labels; at the end: images", title=fold)
        axis.set_xticks([0, 0.5, 1])
        axis.grid(visible=False)
        axis.spines["left"].set_visible(False)
        axis.tick_params(left=False, labelleft=axis is np.atleast_1d(axes)[0])
        axis.invert_yaxis()
    handles, words = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside right center", fontsize=8)
    return figure
