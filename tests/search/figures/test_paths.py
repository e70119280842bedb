"""Progress: curves end at what was found, bands are t-intervals, folds of any length are averaged."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.evolution.hypervolume import covered
from cxr.metrics import student
from cxr.search import figures
from cxr.search.figures import paths
from tests.search import tables

CAP = tables.MAX_MACS


@pytest.mark.parametrize("folds", [1, 3])
def test_progress_ends_at_the_best_and_the_hypervolume_of_each_method(folds):
    tried = tables.candidates(folds)
    figure = figures.progress(tried, score="auroc", max_macs=CAP, title="small")
    top = tried[tried["rung"] == 1]
    for method in ("evolved", "random"):
        mine = top[top["method"] == method]
        label = method if folds == 1 else f"{method}, mean of 3 folds"
        ends = [{x.get_label(): x.get_data() for x in axis.lines}[label] for axis in figure.axes]
        assert ends[0][1][-1] == pytest.approx(mine.groupby("fold")["auroc"].max().mean())
        shares = [covered(x["auroc"], x["macs"], max_macs=CAP) for _, x in mine.groupby("fold")]
        assert ends[1][1][-1] == pytest.approx(np.mean(shares))
        # every image that any rung has seen counts
        assert ends[0][0][-1] == ends[1][0][-1] == 4 * (8 * 480 + 3 * 1440)
        assert ends[0][0][0] == 8 * 480 + 1440  # nothing is found before the top rung


def test_the_band_is_the_t_interval_over_folds():
    tried = tables.candidates(5)
    figure = figures.progress(tried, score="auroc", max_macs=CAP, title="small")
    top = tried[(tried["rung"] == 1) & (tried["method"] == "random")]
    found = student.mean(top.groupby("fold")["auroc"].max().tolist())
    low, high = [line.get_ydata()[-1] for line in figure.axes[0].lines if line.get_linewidth() < 1][
        :2
    ]
    assert (low, high) == (pytest.approx(found.low), pytest.approx(found.high))
    assert len(figure.axes[0].collections) == 2
    alone = figures.progress(tables.candidates(1), score="auroc", max_macs=CAP, title="small")
    assert not alone.axes[0].collections


def test_a_band_of_two_folds_does_not_stretch_the_axis():
    tried = tables.candidates(2)
    figure = figures.progress(tried, score="auroc", max_macs=CAP, title="small")
    top = tried[tried["rung"] == 1].groupby(["fold", "method"])["auroc"]
    low, high = figure.axes[0].get_ylim()
    assert low > top.first().min() - 0.05 and high < top.max().max() + 0.05


def test_folds_of_unequal_length_are_averaged_where_all_are_known():
    one = (np.array([100, 200, 300]), np.array([0.5, 0.6, 0.7]))
    other = (np.array([150, 250]), np.array([0.3, 0.5]))
    steps, means = paths._mean([one, other])
    assert steps.tolist() == [150, 200, 250]
    assert [found.value for found in means] == pytest.approx([0.4, 0.45, 0.55])
    late = (np.array([900]), np.array([0.9]))
    steps, means = paths._mean([one, late])
    assert steps.tolist() == [300] and means[0].value == pytest.approx(0.8)
