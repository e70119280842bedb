"""Figures of pruning: they hold what the tables say, told apart by shape, the same bytes each time."""

import matplotlib.colors
import numpy as np
import pandas as pd
import pytest

from cxr import artifacts
from cxr.pruning import figures, tables
from tests.pruning.test_tables import outcome


@pytest.fixture(scope="module")
def one():
    return [outcome()]


def front(outcomes):
    parents = [(each.parent["macs"], each.parent["auroc"]) for each in outcomes]
    return figures.front(tables.candidates(outcomes), parents=parents, wanted=0.5, title="toy_run")


def lines(axis):
    return {str(line.get_label()): line for line in axis.lines}


def test_front_shows_every_network_and_the_pick(one):
    figure = front(one)
    (axis,) = figure.axes
    drawn = lines(axis)
    whole = one[0].parent["macs"]
    table = tables.candidates(one)
    assert np.allclose(drawn["other networks tried"].get_xdata(), table["macs"] / whole)
    assert drawn["picked"].get_ydata().tolist() == [0.875]
    assert drawn["evolved front"].get_ydata().tolist() == [0.75, 0.875]
    assert drawn["uniform"].get_ydata().tolist() == [0.5]
    assert drawn["parent, all MACs"].get_ydata()[0] == 0.9
    assert drawn["MACs asked for"].get_xdata()[0] == 0.5
    low, high = axis.get_ylim()
    assert low < 0.5 and high > 0.9


def test_front_has_a_panel_per_fold_on_the_same_scale(one):
    figure = front([*one, outcome(shift=0.0625), *one, *one])
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == 4 and len({axis.get_ylim() for axis in shown}) == 1


def test_lines_are_told_apart_without_colour(one):
    for axis in (front(one).axes[0], figures.history(tables.history(one), title="toy").axes[0]):
        kinds = [
            (line.get_marker(), line.get_linestyle())
            for name, line in lines(axis).items()
            if name not in ("parent, all MACs", "MACs asked for")  # one lies, one stands
        ]
        assert len(set(kinds)) == len(kinds)
    greys = [
        np.dot(matplotlib.colors.to_rgb(color), [0.299, 0.587, 0.114]) for color in artifacts.PALETTE[:2]
    ]  # fmt: skip
    assert abs(greys[0] - greys[1]) > 0.05


def test_channels_has_a_row_per_group_with_its_width(one):
    figure = figures.channels(tables.channels(one), title="toy")
    words = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(words) == len(one[0].plan.groups)
    assert words[0] == "conv1.0  (12)" and words[-1] == "layer4.0.conv2  (32)"
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]  # the first group on top
    drawn = lines(figure.axes[0])
    assert drawn["evolved"].get_xdata()[0] == pytest.approx(8 / 12)


def test_channels_of_several_folds_are_shown_with_their_mean(one):
    table = tables.channels(one)
    other = table.assign(fold=1, pruned=table["parent"], parent=table["parent"] * 2)
    figure = figures.channels(pd.concat([table, other]), title="toy")
    drawn = lines(figure.axes[0])
    assert drawn["evolved"].get_xdata()[0] == pytest.approx((8 / 12 + 1 / 2) / 2)
    assert figure.axes[0].get_yticklabels()[0].get_text() == "conv1.0  (12–24)"


def test_history_rings_the_kept_epochs(one):
    figure = figures.history(tables.history(one), title="toy")
    assert [axis.get_title(loc="left") for axis in figure.axes][1:] == [
        "loss on val",
        "AUROC on val",
    ]
    kept = lines(figure.axes[2])["kept"]
    assert kept.get_xdata().tolist() == [2, 1]
    assert kept.get_ydata().tolist() == pytest.approx([0.9, 0.8])


def test_the_same_tables_give_the_same_bytes(one, tmp_path):
    for name in ("a", "b"):
        artifacts.write_figure(tmp_path / f"{name}-front.png", front(one))
        artifacts.write_figure(
            tmp_path / f"{name}-channels.png", figures.channels(tables.channels(one), title="toy")
        )
    for kind in ("front", "channels"):
        first, second = ((tmp_path / f"{name}-{kind}.png").read_bytes() for name in ("a", "b"))
        assert first == second and len(first) > 5000
