"""Packing loose images: the same files give the same bytes, and every reader sees the same set."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest

from cxr import archives, images, plugins
from flows import packing
from stages import __main__ as preflight


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Three small files by the names they get."""
    made = {}
    for name in ("b/2.png", "a/1.png", "ü.png"):
        path = tmp_path / "loose" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
        made[name] = path
    return made


def test_the_endings_are_those_that_the_library_reads():
    assert set(packing.SUFFIXES) == set(images.SUFFIXES)


def test_images_are_found_by_their_ending_and_sorted():
    assert packing.images(["b.PNG", "a.dcm", "labels.csv", "x.zip"]) == ["a.dcm", "b.PNG"]


def test_blocks_are_numbered_on_after_what_is_taken(monkeypatch):
    monkeypatch.setattr(packing, "MOST_MEMBERS", 2)
    assert packing.plan(["c", "a", "b"], []) == {
        "images-001.zip": ["a", "b"],
        "images-002.zip": ["c"],
    }
    taken = ["images-007.zip", "images_008.zip", "sub/images-009.zip"]
    assert list(packing.plan(["a"], taken)) == ["images-008.zip"]
    assert packing.plan([], taken) == {}


def test_the_same_files_give_the_same_bytes(files, tmp_path):
    done: list[int] = []
    packing.write(tmp_path / "one.zip", files, done.append)
    assert done == [path.stat().st_size for path in files.values()]
    for path in files.values():
        os.utime(path, (1, 1))
        path.chmod(0o600)
    packing.write(tmp_path / "two.zip", files, done.append)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_the_library_reads_what_was_packed(files, tmp_path):
    (tmp_path / "raw").mkdir()
    packing.write(tmp_path / "raw/images-001.zip", files, lambda number: None)
    found = archives.members(tmp_path / "raw")
    assert found == [f"images-001.zip/{name}" for name in sorted(files)]
    for member in found:
        name = member.removeprefix("images-001.zip/")
        assert archives.read(tmp_path / "raw", member) == files[name].read_bytes()


def test_only_an_archive_of_ours_has_members(files, tmp_path):
    packing.write(tmp_path / "images-001.zip", files, lambda number: None)
    assert packing.members(tmp_path / "images-001.zip") == list(files)
    with zipfile.ZipFile(tmp_path / "images-002.zip", "w") as archive:
        archive.writestr("a.png", b"x")
    assert packing.members(tmp_path / "images-002.zip") == []
    (tmp_path / "images-003.zip").write_bytes(b"no zip")
    assert packing.members(tmp_path / "images-003.zip") == []
    assert packing.members(tmp_path / "labels.csv") == []


def test_the_first_member_that_differs_is_named(files, tmp_path):
    path = tmp_path / "images-001.zip"
    packing.write(path, files, lambda number: None)
    assert packing.differing(path, files) == ""
    size = files["a/1.png"].stat().st_size
    files["a/1.png"].write_bytes(b"x" * size)
    assert packing.differing(path, files) == "a/1.png"
    assert packing.differing(path, {"b/2.png": files["b/2.png"]}) == "a/1.png"


def test_a_damaged_archive_differs(files, tmp_path):
    path = tmp_path / "images-001.zip"
    packing.write(path, files, lambda number: None)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert packing.differing(path, files) == next(iter(files))


def test_a_file_that_grows_meanwhile_is_refused(files, tmp_path, monkeypatch):
    copy = shutil.copyfileobj

    def longer(source, target, length):
        copy(source, target, length)
        target.write(b"more")

    monkeypatch.setattr(packing.shutil, "copyfileobj", longer)
    with pytest.raises(ValueError, match="changes while it is read"):
        packing.write(tmp_path / "one.zip", files, lambda number: None)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not readable UTF-8 text"):
        packing.write(tmp_path / "one.zip", {"\udcff.png": tmp_path}, lambda number: None)


@pytest.mark.parametrize("most", [10_000, 3])
@pytest.mark.parametrize("name", [x for x in plugins.names("datasets") if x != "phantom"])
def test_every_reader_sees_the_same_set_when_its_loose_images_are_packed(
    name, most, tmp_path, monkeypatch
):
    """In one archive, and in several (as of more than MOST_MEMBERS images)."""
    monkeypatch.setattr(packing, "MOST_MEMBERS", most)
    loose, packed = tmp_path / "loose", tmp_path / "packed"
    plugins.load("datasets", name).sample(loose)
    _unpacked(loose)
    names = [
        path.relative_to(loose).as_posix() for path in sorted(loose.rglob("*.*")) if path.is_file()
    ]
    pictures = packing.images(names)
    if not pictures:
        pytest.skip(f"{name} comes in archives")
    for other in sorted({*names} - {*pictures}):
        (packed / other).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(loose / other, packed / other)
    packed.mkdir(exist_ok=True)
    for archive, members in packing.plan(pictures, names).items():
        content = {member: loose / member for member in members}
        packing.write(packed / archive, content, lambda number: None)
    before, after = (preflight.survey(name, folder) for folder in (loose, packed))
    assert after["words"] == before["words"]
    assert after["digest"] == before["digest"]


def _unpacked(folder: Path) -> None:
    """Unpack the zip and tar archives of a sample where they lie, as a person might have."""
    for path in sorted(folder.rglob("*")):
        if path.name.endswith((".zip", ".tar", ".tar.gz")):
            shutil.unpack_archive(
                path, path.parent, **({} if path.suffix == ".zip" else {"filter": "data"})
            )
            path.unlink()
