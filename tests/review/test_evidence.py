"""A side is read as far as it goes: earlier commits wrote fewer reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr import artifacts
from cxr.review import evidence
from tests.review import cases

ABOUT = {"commit": "a" * 40, "subject": "s", "name": "main", "uncommitted": False}


def test_models_come_in_the_order_of_the_parameters_others_behind(tmp_path: Path) -> None:
    rows = cases.predictions(0.5)
    side = evidence.read(cases.side(tmp_path, {"older": rows, "large": rows, "small": rows}), ABOUT)
    assert list(side.models) == ["small", "large", "older"]


def test_an_empty_side_has_nothing(tmp_path: Path) -> None:
    side = evidence.read(tmp_path, ABOUT)
    assert (side.models, side.params, side.report("split/metrics.json")) == ({}, {}, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "main (aaaaaaaaaa)"),
        ({"name": "aaaa"}, "aaaaaaaaaa"),
        ({"name": ""}, "aaaaaaaaaa"),
        ({"name": "", "uncommitted": True}, "working tree on aaaaaaaaaa"),
    ],
)
def test_a_side_is_named_in_a_line(tmp_path: Path, changes: dict, words: str) -> None:
    assert evidence.read(tmp_path, {**ABOUT, **changes}).words == words


def test_predictions_without_scores_of_a_label_are_none(tmp_path: Path) -> None:
    rows = cases.predictions(0.5).drop(columns="score:ill")
    report = tmp_path / "reports/evaluate/small"
    artifacts.write_json(report / "metrics.json", {"loss": "cross_entropy"})
    artifacts.write_csv(report / "plots/predictions.csv", rows)
    assert evidence.scored(evidence.read(tmp_path, ABOUT).models["small"]) is None


def test_without_thresholds_nobody_knows_what_was_decided(tmp_path: Path) -> None:
    rows = cases.predictions(0.5)
    known = evidence.Model(name="m", metrics={"loss": "bce", "thresholds": {"ill": [0.5], "well": [0.5]}}, predictions=rows)  # fmt: skip
    unknown = evidence.Model(name="m", metrics={"loss": "bce"}, predictions=rows)
    found = evidence.scored(known)
    assert found is not None and not found.exclusive
    assert evidence.scored(unknown) is None
