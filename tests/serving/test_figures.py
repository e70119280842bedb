"""Counts and quantiles are those of what was noted."""

from __future__ import annotations

import math

import pytest

from cxr.serving.figures import Figures, quantile


@pytest.mark.parametrize(
    ("count", "share", "wanted"), [(1, 0.5, 1), (2, 0.5, 1), (100, 0.95, 95), (100, 0.99, 99), (3, 0.99, 3)]
)  # fmt: skip
def test_quantiles(count: int, share: float, wanted: int) -> None:
    assert quantile(list(range(count, 0, -1)), share) == wanted


def test_figures_tell_what_was_noted() -> None:
    figures = Figures()
    for i in range(2000):
        figures.note("/v1/predict", 200, i / 1000, answered=True)
    figures.note("/v1/predict", 413, 99.0, answered=False)
    assert figures.text(batches=7, pictures=70).splitlines() == [
        "# TYPE cxr_requests_total counter",
        'cxr_requests_total{route="/v1/predict",status="200"} 2000',
        'cxr_requests_total{route="/v1/predict",status="413"} 1',
        "# TYPE cxr_predict_seconds summary",
        'cxr_predict_seconds{quantile="0.5"} 1.499000',
        'cxr_predict_seconds{quantile="0.95"} 1.949000',
        'cxr_predict_seconds{quantile="0.99"} 1.989000',
        "# TYPE cxr_batches_total counter",
        "cxr_batches_total 7",
        "# TYPE cxr_pictures_total counter",
        "cxr_pictures_total 70",
    ]


def test_without_an_answer_there_is_no_quantile() -> None:
    assert math.isnan(quantile([], 0.5))
    assert "quantile" not in Figures().text(batches=0, pictures=0)
