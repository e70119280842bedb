"""Styles: methods and baselines differ by more than their colour."""

from __future__ import annotations

from cxr.search.figures import style


def test_methods_and_baselines_differ_by_more_than_colour():
    for look in ("linestyle", "marker", "frame"):
        assert len({str(getattr(x, look)) for x in style.METHODS.values()}) == 3
    marks = [style.mark(place) for place in range(8)]
    assert len({*marks, *(x.marker for x in style.METHODS.values())}) == 8 + 3
