"""The drawn figures hold a mark for each difference and a line for each fold and side."""

from __future__ import annotations

import pandas as pd

from cxr.review import figures
from cxr.review.differences import Difference


def difference(model: str, metric: str, value: float | None, verdict: str) -> Difference:
    low, high = (None, None) if value is None else (value - 0.1, value + 0.1)
    return Difference(
        model=model, metric=metric, base=None, head=None, how="paired", value=value, low=low,
        high=high, p=0.5, adjusted=0.5, verdict=verdict,
    )  # fmt: skip


def test_each_difference_has_its_place_and_each_verdict_a_word() -> None:
    found = [
        difference("a_$x", "auroc", 0.2, "better"),
        difference("a_$x", "accuracy", -0.3, "worse"),
        difference("b", "auroc", 0.0, "noise"),
        difference("c", "auroc", None, "alone"),
    ]
    figure = figures.forest(found)
    area, right = figure.axes
    assert [label.get_text() for label in area.get_yticklabels()] == [r"a_\$x", "b"]
    assert [len(axis.containers) for axis in (area, right)] == [2, 1]
    (legend,) = figure.legends
    assert [x.get_text() for x in legend.get_texts()] == ["better", "worse", "no more than noise"]


def test_without_a_difference_nothing_is_drawn() -> None:
    assert figures.forest([difference("c", "auroc", None, "alone")]) is None
    assert figures.curves({}, {}) is None


def test_curves_have_a_line_for_each_fold_and_side() -> None:
    table = pd.DataFrame({"fold": [0, 0, 1, 1], "epoch": [0, 1, 0, 1], "val_loss": 0.5, "val_auroc": 0.5})  # fmt: skip
    figure = figures.curves({"run": table}, {"run": table[table["fold"] == 0]})
    assert [len(axis.lines) for axis in figure.axes] == [3, 3]


def test_a_column_that_was_not_recorded_is_left_empty() -> None:
    table = pd.DataFrame({"fold": [0], "epoch": [0], "val_loss": [0.5]})
    loss, area = figures.curves({"run": table}, {"run": table}).axes
    assert len(loss.lines) == 2 and len(area.lines) == 0
