"""The winner: a box per layer, as high as its maps, with its shares of the cost."""

from __future__ import annotations

import json

import pytest

from cxr import architectures, artifacts
from cxr.search import figures
from cxr.search.figures import style
from tests.search import tables


@pytest.mark.parametrize("tried", [tables.candidates(1), tables.grid(2)], ids=["cells", "grid"])
def test_the_winner_is_drawn_box_by_box_with_its_shares(tried):
    figure = figures.winner(tried, size_px=tables.SIZE_PX, title="small")
    methods = style.methods(tried)
    assert len(figure.axes) == 2 * len(methods)
    for place, method in enumerate(methods):
        rows = tried[(tried["fold"] == 0) & (tried["method"] == method) & (tried["picked"] == 1)]
        lines = architectures.outline(
            json.loads(rows["architecture"].iloc[0]), size_px=tables.SIZE_PX
        )
        boxes, bars = figure.axes[2 * place : 2 * place + 2]
        assert len(boxes.patches) == len(lines)
        said = " ".join(text.get_text() for text in boxes.texts).replace("\u00a0", " ")
        for line in lines:
            assert " ".join(line.words.split()) in " ".join(said.split())
        costs = [
            getattr(x, key) for key in ("macs", "parameters") for x in lines if getattr(x, key)
        ]
        shares = [bar.get_height() for bar in bars.patches]
        assert len(shares) == len(costs) and sum(shares) == pytest.approx(2)
        assert ("fold 0" in boxes.get_title("left")) == (tried["fold"].nunique() > 1)


def test_boxes_shrink_with_their_maps_and_what_all_layers_share_is_said():
    tried = tables.candidates(1, methods=["evolved"])
    network = {**tables.cells(3), "activation": "silu", "norm": "group"}
    tried["architecture"] = artifacts.canonical_json(network)
    boxes = figures.winner(tried, size_px=tables.SIZE_PX, title="small").axes[0]
    heights = [patch.get_bbox().height for patch in boxes.patches]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) > 4
    assert "SiLU" in boxes.get_title("left")
