"""Files, folders and archives stand for their pictures, read in place."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from cxr.answering import pictures


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.jpg", "deep/IM0001", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(name.encode())
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in ("z.png", "in/y.dcm", "table.csv", "__MACOSX/z.png"):
            archive.writestr(name, name)
    return tmp_path


def names(path: Path, top: Path) -> list[str]:
    return [Path(one.name).relative_to(top).as_posix() for one in pictures.listed(path)]


def test_a_folder_stands_for_its_pictures_and_those_of_its_archives(place: Path) -> None:
    wanted = ["b.png", "deep/IM0001", "deep/a.jpg", "some.zip/in/y.dcm", "some.zip/z.png"]
    assert names(place, place) == wanted
    assert [one.content() for one in pictures.listed(place)][-2:] == [b"in/y.dcm", b"z.png"]
    assert not any(one.asked for one in pictures.listed(place))


def test_an_archive_stands_for_its_pictures(place: Path) -> None:
    assert names(place / "some.zip", place) == ["some.zip/in/y.dcm", "some.zip/z.png"]


def test_a_file_stands_for_itself_whatever_its_name(place: Path) -> None:
    (one,) = pictures.listed(place / "notes.txt")
    assert one.asked and one.content() == b"notes.txt"


def test_what_holds_no_picture_or_is_missing_is_told(place: Path) -> None:
    with pytest.raises(
        ValueError, match=r"nothing is missing: name a file, a folder or an archive"
    ):
        pictures.listed(place / "nothing")
    (place / "empty").mkdir()
    (place / "empty/notes.txt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"empty holds no picture among its 1 files"):
        pictures.listed(place / "empty")
