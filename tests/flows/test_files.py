"""A file is put in place whole or not at all, and nothing half written is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import files


def test_a_text_takes_the_place_of_the_old_one_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("one\r\ntwo\n", "äöü\n"):
        files.write(path, text)
        assert path.read_bytes() == text.encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write(path, "old")
    with pytest.raises(OSError, match="disk"), files.replacing(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "old"
        raise OSError("the disk is full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
