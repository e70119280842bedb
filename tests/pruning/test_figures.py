"""Figures of pruning: they hold what the tables say, told apart by shape, the same bytes each time."""

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts, numerics
from cxr.pruning import figures, tables
from cxr.pruning.methods import WORDS
from tests.pruning.outcomes import SCORES, outcome, space

numerics.exact_torch()


@pytest.fixture(scope="module")
def two():
    """One fold at two shares."""
    return [outcome(), outcome(share=0.3, shift=-0.0625)]


def front(outcomes, folds=1):
    parents = [(1000, 0.9 + fold / 100) for fold in range(folds)]
    found = tables.candidates(outcomes), tables.contests(outcomes)
    return figures.front(*found, parents=parents, title="toy_run")


def contest(outcomes, folds=1):
    parents = [(1000, 0.9 + fold / 100) for fold in range(folds)]
    return figures.contest(tables.contests(outcomes), parents=parents, title="toy")


def lines(axis):
    """Return the lines of an axis by their label; what is drawn again for another share has none."""
    return {str(line.get_label()): line for line in axis.lines}


def test_front_shows_every_network_the_entrants_and_the_parent(two):
    (axis,) = front(two).axes
    drawn = lines(axis)
    assert drawn["tried, first to last"].get_ydata().tolist() == [0.5, 0.75, 0.625, 0.875]
    assert drawn["best so far"].get_ydata().tolist() == [0.5, 0.75, 0.75, 0.875]
    for method, score in SCORES.items():
        heights = drawn[WORDS[method]].get_ydata().tolist()
        first, other = ([score, score - 0.125], [score - 0.0625, score - 0.1875])
        assert heights == ([*first, *other] if method == "evolved" else [score, score - 0.0625])
    assert drawn["handed over"].get_ydata().tolist() == [0.8125, 0.75]  # taylor, as it was cut
    assert drawn["parent, all MACs"].get_ydata()[0] == 0.9
    assert [label.get_text() for label in axis.get_xticklabels()] == ["50 %", "30 %"]
    low, high = axis.get_ylim()
    assert low < 0.4375 and high > 0.9


def test_front_keeps_every_share_in_its_place(two):
    (axis,) = front(two).axes
    for line in axis.lines:
        x = np.asarray(line.get_xdata(), dtype=float)
        if len(x) == 4 and line.get_label() != "Evolved":  # candidates of one share
            assert np.ptp(x) < 0.5
    drawn = lines(axis)
    for method in WORDS:
        x = drawn[WORDS[method]].get_xdata()
        assert np.round(x).tolist() == ([0, 0, 1, 1] if method == "evolved" else [0, 1])


def test_front_leaves_out_what_a_short_training_said():
    (axis,) = front([outcome(survivors=True)]).axes
    assert len(lines(axis)["tried, first to last"].get_ydata()) == 4


def test_front_has_a_panel_per_fold_on_the_same_scale():
    figure = front([outcome(fold=fold, shift=fold / 64) for fold in range(4)], folds=4)
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == 4 and len({axis.get_ylim() for axis in shown}) == 1
    heights = [lines(axis)["parent, all MACs"].get_ydata()[0] for axis in shown]
    assert heights == [0.9, 0.91, 0.92, 0.93]


def test_methods_are_told_apart_without_colour(two):
    drawn = lines(front(two).axes[0])
    markers = [drawn[words].get_marker() for words in WORDS.values()]
    assert len(set(markers)) == len(WORDS)


def test_channels_has_a_row_per_group_with_its_width_and_a_panel_per_share(two):
    table = tables.channels(two)
    figure = figures.channels(table, title="toy")
    left, right = figure.axes
    words = [label.get_text() for label in left.get_yticklabels()]
    assert len(words) == len(space().groups)
    assert words[0] == "conv1.0  (12)" and words[-1] == "layer4.0.conv2  (64)"
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first group on top
    for axis, share in ((left, 50), (right, 30)):
        assert axis.get_title(loc="left") == f"{share} % of the MACs"
        drawn = lines(axis)
        for words, cut in (
            ("handed over", "pruned"),
            ("evolved", "evolved"),
            ("uniform", "uniform"),
        ):
            kept = table[f"{cut}_{share}"] / table["parent"]
            assert drawn[words].get_xdata().tolist() == kept.tolist()


def test_channels_of_several_folds_are_shown_with_their_mean(two):
    table = tables.channels(two[:1])
    other = table.assign(fold=1, evolved_50=table["parent"], parent=table["parent"] * 2)
    figure = figures.channels(pd.concat([table, other]), title="toy")
    expected = (table["evolved_50"][0] / table["parent"][0] + 1 / 2) / 2
    assert lines(figure.axes[0])["evolved"].get_xdata()[0] == pytest.approx(expected)
    assert figure.axes[0].get_yticklabels()[0].get_text() == "conv1.0  (12–24)"


def test_contest_shows_each_entrant_before_and_after_and_who_won(two):
    left, right = contest(two).axes
    words = [label.get_text() for label in left.get_yticklabels()]
    assert words == ["Evolved 1", "Evolved 2", "Uniform L1", "Global L1", "BatchNorm scale", "Taylor ★", "Reconstruction", "Random", "Sensitivity"]  # fmt: skip
    marks = [line for line in left.lines if line.get_linestyle() == "None"]
    assert [line.get_xdata()[0] for line in marks[:4]] == [0.875, 0.875, 0.75, 0.75]
    taylor = [line for line in marks if line.get_marker() == "v"]
    assert [line.get_xdata()[0] for line in taylor] == [0.8125, 0.90625]
    assert taylor[0].get_markerfacecolor() == "white"
    assert lines(left)["parent"].get_xdata()[0] == 0.9
    assert "Taylor ★" in [label.get_text() for label in right.get_yticklabels()]


def test_contest_of_several_folds_shows_means_and_how_often_somebody_won():
    figure = contest([outcome(fold=fold, shift=fold / 16) for fold in range(3)], folds=3)
    (axis,) = figure.axes
    assert "Taylor ★ 3 of 3" in [label.get_text() for label in axis.get_yticklabels()]
    taylor = [line for line in axis.lines if line.get_marker() == "v"]
    assert [line.get_xdata()[0] for line in taylor[:2]] == pytest.approx([0.875, 0.96875])
    assert taylor[2].get_xdata().tolist() == [0.90625, 0.96875, 1.03125]


def test_the_same_tables_give_the_same_bytes(two, tmp_path):
    for name in ("a", "b"):
        drawn = {
            "front": front(two),
            "channels": figures.channels(tables.channels(two), title="toy"),
            "contest": contest(two),
        }
        for kind, figure in drawn.items():
            artifacts.write_figure(tmp_path / f"{name}-{kind}.png", figure)
    for kind in ("front", "channels", "contest"):
        first, second = ((tmp_path / f"{name}-{kind}.png").read_bytes() for name in ("a", "b"))
        assert first == second and len(first) > 5000
