"""Finalists: a line each, every repeat, means with intervals that say where they go on."""

from __future__ import annotations

import pytest

from cxr.metrics import student
from cxr.search import figures
from tests.search import tables


def test_finalists_of_one_fold_stand_a_line_each_with_every_seed():
    ended = tables.finalists(tables.candidates(1), seeds=3)
    figure = figures.finalists(ended, score="auroc", title="small")
    chose, nothing = figure.axes
    words = [label.get_text() for label in chose.get_yticklabels()]
    assert [x.split(",")[0] for x in words] == [
        "evolved 1 ★ picked", "evolved 2", "random 1 ★ picked", "random 2",
        "largest", "mobilenetv3_small_100", "resnet18",
    ]  # fmt: skip
    assert words[-1].endswith("340 M MACs") and "3 seeds" in figure.get_suptitle()
    for axis, part in ((chose, "search_val_auroc"), (nothing, "val_auroc")):
        assert [len(points.get_offsets()) for points in axis.collections] == [3] * 7
        assert axis.collections[-1].get_offsets()[:, 0].tolist() == pytest.approx(
            ended[ended["method"] == "resnet18"][part].tolist()
        )


def test_several_folds_stand_a_line_per_method_and_their_folds_are_the_repeats():
    ended = tables.finalists(tables.candidates(5), seeds=2)
    figure = figures.finalists(ended, score="accuracy", title="small")
    axis = figure.axes[1]
    assert len(figure.axes[0].get_yticklabels()) == 2 + 3
    picks = ended[(ended["method"] == "evolved") & (ended["picked"] == 1)]
    folds = picks.groupby("fold")["val_accuracy"].mean()
    assert axis.collections[0].get_offsets()[:, 0].tolist() == pytest.approx(folds.tolist())
    found = student.mean(folds.tolist())
    assert axis.lines[0].get_xdata()[0] == pytest.approx(max(found.low, axis.get_xlim()[0]))


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow():
    ended = tables.finalists(tables.candidates(1), seeds=2, baselines=())
    place = ended["network"] == ended["network"].iloc[0]
    ended.loc[place, "val_auroc"] = [0.80, 0.84]  # of two seeds: ± 12.7 times .02
    figure = figures.finalists(ended, score="auroc", title="small")
    axis = figure.axes[1]
    arrows = {line.get_marker(): line.get_xdata()[0] for line in axis.lines}
    assert (arrows["<"], arrows[">"]) == axis.get_xlim()


def test_a_finalist_that_diverged_every_time_leaves_its_line_empty():
    ended = tables.finalists(tables.candidates(1), seeds=2)
    ended.loc[ended["method"] == "resnet18", "val_auroc"] = float("nan")
    figure = figures.finalists(ended, score="auroc", title="small")
    assert [len(axis.collections) for axis in figure.axes] == [7, 6]
