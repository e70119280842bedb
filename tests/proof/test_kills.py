"""A stage that is killed ends with the recorded bytes, and the proof notices when it does not."""

from __future__ import annotations

import dataclasses

import pytest

from cxr import seeding
from tests.proof import alone, kills, rows

pytestmark = pytest.mark.slow


def rng(*words: str):
    return seeding.stream(1, "test_kills", *words)


@pytest.mark.parametrize("stage", ["preprocess", "transfer-searched"])
def test_a_stage_that_is_killed_ends_with_the_recorded_bytes(small, stage):
    entry = alone.first(small, stage)
    found = kills.life(entry, small, length_s=kills.undisturbed(entry, small), rng=rng(stage))
    assert found[1] == kills.EQUAL and found[0] > 0


def test_half_a_result_and_another_result_are_noticed(small):
    """A stage that begins its output and is slow to end it, and one that never writes the rest."""
    entry = alone.first(small, "split")
    (out,) = (x for x in entry.outs if x.endswith(".csv"))
    slow = (
        f"import time, pathlib; p = pathlib.Path({out!r}); p.parent.mkdir(exist_ok=True);"
        "p.write_text('image,group\\n'); time.sleep(60)"
    )
    half = dataclasses.replace(entry, words=("-c", slow))
    count, found = kills.life(half, small, length_s=20, rng=rng("half"))
    assert count >= 1 and found == f"half made after a kill: {out}"
    other = dataclasses.replace(entry, words=("-c", slow.replace("time.sleep(60)", "0")))
    assert kills.life(other, small, length_s=0, rng=rng("other"))[1].startswith(
        ("differs: ", "half made")
    )


def test_finished_lives_are_kept_and_another_lock_begins_anew(small, tmp_path, monkeypatch):
    entry = alone.first(small, "merge")
    monkeypatch.setattr(alone, "entries", lambda root: [entry])
    path = tmp_path / "kills.csv"
    kills.sit(small, path, minutes=1, lives=1)
    text = path.read_text()
    assert text.count(kills.EQUAL) == 1
    kills.sit(small, path, minutes=1, lives=1)
    assert path.read_text() == text
    path.write_text(text.replace(rows.lock(small), "0" * 12))
    kills.sit(small, path, minutes=1, lives=1)
    assert len(path.read_text().splitlines()) == 2
