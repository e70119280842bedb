"""All figures of a search: the same bytes twice, no words cut off or on one another."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cxr import artifacts
from cxr.search import figures
from tests.search import tables

CAP = tables.MAX_MACS
GRID_CAP = 2_000_000_000


@pytest.mark.parametrize("make", ["front", "progress", "finalists", "winner"])
def test_the_same_tables_give_the_same_bytes(make, tmp_path):
    tried = tables.candidates(2)
    pictures = [_draw(make, tried, tmp_path / f"{i}.png") for i in range(2)]
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize("make", ["front", "progress", "finalists", "winner"])
@pytest.mark.parametrize(
    "tried", [tables.candidates(1), tables.candidates(5), tables.grid(1)], ids=["1", "5", "grid"]
)
def test_no_words_leave_the_picture_or_lie_on_one_another(make, tried):
    figure = _figure(make, tried)
    FigureCanvasAgg(figure).draw()
    whole = figure.bbox
    for text in _texts(figure):
        box = text.get_window_extent()
        assert box.x0 >= whole.x0 - 1 and box.x1 <= whole.x1 + 1, text.get_text()
        assert box.y0 >= whole.y0 - 1 and box.y1 <= whole.y1 + 1, text.get_text()
    for one, other in itertools.combinations(_texts(figure), 2):
        boxes = [text.get_window_extent().padded(-1) for text in (one, other)]
        assert not boxes[0].overlaps(boxes[1]), (one.get_text(), other.get_text())


def _texts(figure):
    """Return the words that are seen: titles, labels, ticks within the axes, legends, notes."""
    found = [x for x in (figure._suptitle, figure._supxlabel) if x is not None]
    for legend in figure.legends:
        found += [*legend.get_texts(), legend.get_title()]
    for axis in figure.axes:
        if not axis.get_visible():
            continue
        found += [axis.title, axis._left_title, axis.xaxis.label, axis.yaxis.label, *axis.texts]
        for one, (low, high) in (
            (axis.xaxis, axis.get_xlim()),
            (axis.yaxis, sorted(axis.get_ylim())),
        ):
            places = zip(one.get_majorticklocs(), one.get_majorticklabels(), strict=True)
            found += [label for place, label in places if low <= place <= high]
    return [text for text in found if text.get_text().strip()]


def _figure(make: str, tried: pd.DataFrame):
    ended = tables.finalists(tried)
    cap = GRID_CAP if "grid" in set(tried["method"]) else CAP
    return {
        "front": lambda: figures.front(tried, ended, score="auroc", max_macs=cap, title="small"),
        "progress": lambda: figures.progress(tried, score="auroc", max_macs=cap, title="small"),
        "finalists": lambda: figures.finalists(ended, score="auroc", title="small"),
        "winner": lambda: figures.winner(tried, size_px=tables.SIZE_PX, title="small"),
    }[make]()


def _draw(make, tried, path):
    artifacts.write_figure(path, _figure(make, tried))
    return path.read_bytes()
