"""A stage alone gives the recorded bytes under every condition, and what it lacks is told."""

from __future__ import annotations

import dataclasses

import pytest

from tests.proof import alone, conditions, doubles, rows

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("condition", conditions.CONDITIONS)
def test_a_stage_is_the_same_under_every_condition(small, condition):
    found = doubles.outcome(alone.first(small, "preprocess"), condition, small)
    if found.startswith(doubles.NOT_SET):
        pytest.skip(f"NOT PROVED: {found}")
    assert found == doubles.EQUAL


def test_a_file_and_a_parameter_that_are_read_and_not_declared_are_missing(small):
    split = alone.first(small, "split")
    fewer = dataclasses.replace(
        split, deps=tuple(x for x in split.deps if x != "data/manifest.csv")
    )
    assert "data/manifest.csv" in doubles.outcome(fewer, "as recorded", small)
    less = dataclasses.replace(split, params={k: v for k, v in split.params.items() if k != "seed"})
    assert "seed is missing" in doubles.outcome(less, "as recorded", small)


def test_finished_lines_are_kept_and_another_lock_begins_anew(small, tmp_path, monkeypatch):
    monkeypatch.setattr(
        doubles, "pairs", lambda root: [(alone.first(root, "merge"), "as recorded")]
    )
    path = tmp_path / "doubles.csv"
    first = doubles.sit(small, path, minutes=1)
    text = path.read_text()
    assert list(first["outcome"]) == [doubles.EQUAL]
    assert list(doubles.sit(small, path, minutes=1)["outcome"]) == [doubles.EQUAL]
    assert path.read_text() == text
    path.write_text(text.replace(rows.lock(small), "0" * 12))
    assert len(doubles.sit(small, path, minutes=1)) == 1
