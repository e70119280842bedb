"""The search's figures: whatever the number of folds, all networks are there and both methods named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, seeding
from cxr.evolution import sorting
from cxr.search import figures


def table(folds: int, networks: int = 12) -> pd.DataFrame:
    """A made-up search; AUROC grows with MACs."""
    parts = []
    for fold in range(folds):
        for method in ("evolved", "random"):
            rng = seeding.stream(3, method, fold)
            macs = np.exp(rng.uniform(13, 17, networks)).astype(int)
            auroc = (0.6 + 0.08 * (np.log(macs) - 13) + rng.normal(0, 0.04, networks)).clip(0, 1)
            front = np.isin(np.arange(networks), sorting.front(np.stack([1 - auroc, macs], 1)))
            picked = np.arange(networks) == np.argmax(auroc)
            parts.append(
                pd.DataFrame(
                    {
                        "fold": fold, "method": method, "auroc": auroc, "macs": macs,
                        "front": front.astype(int), "picked": picked.astype(int),
                    }
                )
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("folds", [1, 5, 7])
def test_front_has_a_panel_per_fold_with_every_network(folds):
    figure = figures.front(table(folds), max_macs=30_000_000, title="small")
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert len(panels) == folds
    for axis in panels:
        sizes = [len(points.get_offsets()) for points in axis.collections]
        assert sizes == [12, 12, 1, 1]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"evolved: front", "random: front", "evolved: picked", "random: picked"} <= set(words)


@pytest.mark.parametrize("folds", [1, 3])
def test_progress_ends_at_the_best_of_each_method(folds, tmp_path):
    tried = table(folds)
    figure = figures.progress(tried, max_macs=30_000_000, title="small")
    best = {line.get_label(): line.get_ydata()[-1] for line in figure.axes[0].lines}
    for method in ("evolved", "random"):
        label = method if folds == 1 else f"{method}, mean of folds"
        mine = tried[tried["method"] == method]
        assert best[label] == pytest.approx(mine.groupby("fold")["auroc"].max().mean())
    artifacts.write_figure(tmp_path / "one.png", figure)
    again = figures.progress(tried, max_macs=30_000_000, title="small")
    artifacts.write_figure(tmp_path / "two.png", again)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
