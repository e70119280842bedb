"""What the report shows is what params.yaml names and a stage made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxr import artifacts
from stages import _gathering


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "explain" / "one"
    artifacts.write_json(folder / "metrics.json", {"images": 3})
    artifacts.write_text(folder / "plots/sanity.csv", "layer,correlation\nhead,0.1\nstem,\n")
    artifacts.write_bytes(folder / "plots/sanity.png", b"png")
    return tmp_path


def test_an_explanation_is_shown_with_what_was_made_of_it(reports: Path) -> None:
    (found,) = _gathering.read_explanations(["one", "never_made"], reports)
    assert (found.name, found.metrics) == ("one", {"images": 3})
    assert found.sanity == [
        {"layer": "head", "correlation": 0.1},
        {"layer": "stem", "correlation": None},
    ]
    assert found.figures == {"sanity": b"png"}  # images of patients never reach the reports


def test_a_study_without_explanations_has_none(reports: Path) -> None:
    def names(tree: dict[str, Any]) -> list[str]:
        study = _gathering.gather(
            tree, [], reports, sort_by="auroc", comparison=b"", differences=None
        )
        return [one.name for one in study.explanations]

    without: list[dict[str, Any]] = [{}, {"explain": None}, {"explain": {"models": []}}]
    for tree in without:
        assert names(tree) == []
    assert names({"explain": {"models": ["one"]}}) == ["one"]


def test_the_portrait_is_shown_only_where_phantom_is_a_data_set(reports: Path) -> None:
    for datasets, shown in ([], False), (["phantom"], True):
        assert ("portrait" in _gathering.figure_paths(reports, datasets)) == shown
