"""Networks tried: every rung, fronts, picks and baselines are there, and nothing stretches the axes."""

from __future__ import annotations

import pytest

from cxr.search import figures
from tests.search import tables

CAP = tables.MAX_MACS
GRID_CAP = 2_000_000_000


def _front(tried, *, cap=CAP, score="auroc", **options):
    ended = tables.finalists(tried, **options)
    return figures.front(tried, ended, score=score, max_macs=cap, title="small")


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts() if text.get_text()]


def _points(axis):
    return {points.get_label(): points.get_offsets() for points in axis.collections}


@pytest.mark.parametrize("folds", [1, 5, 7])
def test_front_has_a_panel_per_fold_with_every_network_of_every_rung(folds):
    tried = tables.candidates(folds)
    panels = [axis for axis in _front(tried).axes if axis.get_visible()]
    assert len(panels) == folds
    for fold, axis in enumerate(panels):
        points = _points(axis)
        for method in ("evolved", "random"):
            assert len(points[f"{method}: lower rungs"]) == 32
            assert len(points[f"{method}: top rung"]) == 12
            mine = tried[(tried["fold"] == fold) & (tried["method"] == method)]
            pick = mine[mine["picked"] == 1].iloc[0]
            assert points[f"{method}: picked"].tolist() == [[pick["macs"], pick["auroc"]]]
        assert {f"baseline {name}" for name in ("largest", "mobilenetv3_small_100")} <= set(points)


def test_fronts_are_steps_over_the_top_rung_up_to_the_cap():
    tried = tables.candidates(1)
    (axis,) = _front(tried).axes
    for line in axis.lines:
        if line.get_label() != "evolved: front":
            continue
        macs, scores = line.get_data()
        best = tried[(tried["method"] == "evolved") & (tried["front"] == 1)]
        assert line.get_drawstyle() == "steps-post" and macs[-1] == CAP
        assert sorted(set(scores)) == sorted(set(best["auroc"]))
        return
    raise AssertionError("no front of evolved networks")


def test_a_baseline_beyond_the_axis_stands_at_its_end_and_says_its_macs():
    (axis,) = _front(tables.candidates(1)).axes
    ((x, y),) = _points(axis)["baseline resnet18 (340 M MACs →)"].tolist()
    assert x == axis.get_xlim()[1] > CAP
    low, high = axis.get_ylim()
    assert low < y < high
    (axis,) = _front(tables.candidates(1), cap=GRID_CAP).axes
    assert _points(axis)["baseline resnet18"][0][0] == 340_000_000


def test_the_legend_says_how_many_images_each_kind_has_seen():
    figure = _front(tables.candidates(1))
    title = figure.legends[0].get_title().get_text()
    assert title.endswith("480 / 1,440 (rungs 0–1); by a baseline: 2,880, mean of 3 seeds")
    figure = _front(tables.grid(1), cap=GRID_CAP, baselines=())
    assert figure.legends[0].get_title().get_text() == "images seen by a network: 1,440"


def test_diverged_networks_are_crosses_on_the_floor_and_do_not_stretch_the_axis():
    figure = _front(tables.candidates(1, diverged=1))
    (axis,) = figure.axes
    assert axis.get_ylim()[0] > 0.4
    lost = _points(axis)["evolved: diverged"]
    assert len(lost) == 8 and set(lost[:, 1]) == {axis.get_ylim()[0]}
    assert "evolved: diverged" in _legend(figure)
    assert "evolved: diverged" not in _legend(_front(tables.candidates(1)))


def test_a_search_that_found_nothing_but_diverged_networks_is_drawn():
    tried = tables.candidates(1, generations=1, diverged=8)
    assert tried["loss"].isna().all()
    assert "evolved: diverged" in _legend(_front(tried, baselines=()))
    figures.progress(tried, score="auroc", max_macs=CAP, title="small")


def test_chance_is_shown_for_auroc_alone_and_where_it_is_near():
    low = tables.candidates(1)
    low["auroc"] -= 0.1
    assert "chance" in _legend(_front(low))
    assert "chance" not in _legend(_front(tables.grid(1), cap=GRID_CAP))
    assert "chance" not in _legend(_front(low, score="accuracy"))


def test_a_grid_shows_its_27_networks_its_front_and_its_best():
    figure = _front(tables.grid(1), cap=GRID_CAP)
    points = _points(figure.axes[0])
    assert len(points["grid: networks"]) == 27 and len(points["grid: picked"]) == 1
    assert not [words for words in _legend(figure) if "rung" in words or "evolved" in words]
