"""Notes of what was not told: there whole or not at all, and nothing is in them but what their name says."""

from __future__ import annotations

from pathlib import Path

from flows import untold
from flows.untold import Note

ONE = Note(study="toy", manifest="1" * 64, branch="main")
TWO = Note(study="toy", manifest="2" * 64, branch="a.b/c d")


def test_notes_come_back_as_they_were_written_and_go_one_by_one(tmp_path: Path) -> None:
    assert list(untold.notes(tmp_path)) == []
    for note in (TWO, ONE, ONE):
        note.write(tmp_path)
    assert list(untold.notes(tmp_path)) == [ONE, TWO]
    assert {path.stat().st_size for path in (tmp_path / ".worktrees").iterdir()} == {0}
    for _ in range(2):
        ONE.drop(tmp_path)
    assert list(untold.notes(tmp_path)) == [TWO]
