"""Bringing files in: whole or not at all, never over something else, never through a link."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import delivery, packing

TARGET = Path("data/raw/demo")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A download with a folder inside, and an empty project as the current folder."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    folder = tmp_path / "download" / "demo"
    (folder / "covid").mkdir(parents=True)
    (folder / "covid" / "a.png").write_bytes(b"a")
    (folder / "labels.csv").write_text("x\n")
    return folder


def names(folder: Path) -> dict[str, str]:
    """A reader that accepts anything and knows an image by its name."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += archive.namelist()
        elif path.is_file():
            found.append(path.relative_to(folder).as_posix())
    return {"words": f"{len(found)} files", "digest": " ".join(sorted(found))}


def bring(source: Path, survey: delivery.Survey = names) -> str:
    return delivery.bring("demo", source, TARGET, survey)


def many(folder: Path, numbers: range) -> None:
    for number in numbers:
        (folder / "covid" / f"{number:04d}.png").write_bytes(b"%d" % number)


def test_a_folder_is_copied_once(source):
    assert bring(source) == f"data/raw/demo: copied from {source}"
    assert sorted(delivery.files(TARGET)) == ["covid/a.png", "labels.csv"]
    assert (TARGET / "covid/a.png").read_bytes() == b"a"
    times = [path.stat().st_mtime_ns for path in delivery.files(TARGET).values()]
    assert bring(source) == f"data/raw/demo already equals {source}"
    assert [path.stat().st_mtime_ns for path in delivery.files(TARGET).values()] == times
    assert [path.name for path in Path("data/raw").iterdir()] == ["demo"]


def test_what_it_takes_is_said_before(source, capsys):
    bring(source)
    assert capsys.readouterr().out.splitlines() == [
        f"{source}: 2 files, 0.0 MB; looking at their layout",
        "2 files",
        "demo: 2 files to copy, 0.0 MB here and as much again for DVC",
    ]


def test_a_refused_layout_leaves_nothing(source):
    def refuse(folder):
        assert folder == source
        raise ValueError("no table")

    with pytest.raises(ValueError, match="no table"):
        bring(source, refuse)
    assert not Path("data").exists()


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_other_content_is_not_overwritten(source, change):
    bring(source)
    if change == "changed":
        (source / "labels.csv").write_text("y\n")
    else:
        (source / "labels.csv").unlink()
    with pytest.raises(ValueError, match=r"first difference: labels.csv.*rm -r data/raw/demo"):
        bring(source)
    assert (TARGET / "labels.csv").read_text() == "x\n"


def test_new_files_are_added_beside_the_old(source):
    bring(source)
    old = (TARGET / "labels.csv").stat()
    (source / "new").mkdir()
    (source / "new" / "images_002.tar").write_bytes(b"tar")
    assert bring(source) == f"data/raw/demo: grown by 1 files from {source}"
    assert sorted(delivery.files(TARGET)) == ["covid/a.png", "labels.csv", "new/images_002.tar"]
    now = (TARGET / "labels.csv").stat()
    assert (now.st_ino, now.st_mtime_ns) == (old.st_ino, old.st_mtime_ns)
    assert [path.name for path in Path("data/raw").iterdir()] == ["demo"]


def test_an_addition_that_was_cut_short_is_finished(source):
    """Files appear one by one, each whole: a run killed between two of them leaves the first."""
    bring(source)
    (source / "one.tar").write_bytes(b"1")
    bring(source)
    (source / "two.tar").write_bytes(b"2")
    assert "grown by 1 files" in bring(source)
    assert "already equals" in bring(source)


def test_files_that_link_to_dvcs_cache_are_the_same(source, tmp_path):
    bring(source)
    (tmp_path / "cache").write_text("x\n")
    (TARGET / "labels.csv").unlink()
    (TARGET / "labels.csv").symlink_to(tmp_path / "cache")
    assert "already equals" in bring(source)


def test_one_file_is_a_data_set_too(source):
    bring(source / "labels.csv")
    assert list(delivery.files(TARGET)) == ["labels.csv"]


def test_a_complaint_about_a_lone_file_names_its_folder(source):
    def refuse(folder):
        raise ValueError(f"{folder}/labels.csv is wrong")

    with pytest.raises(ValueError, match=f"^{source}/labels.csv is wrong"):
        bring(source / "labels.csv", refuse)


def test_a_link_out_of_the_folder_is_refused(source):
    (source / "link.csv").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="is a link out of"):
        bring(source)
    assert not TARGET.exists()


def test_a_link_inside_becomes_a_file(source):
    (source / "link.csv").symlink_to("labels.csv")
    bring(source)
    assert not (TARGET / "link.csv").is_symlink()
    assert (TARGET / "link.csv").read_text() == "x\n"


def test_litter_stays_behind(source):
    (source / ".git").mkdir()
    (source / ".git" / "HEAD").write_text("x")
    (source / "__MACOSX").mkdir()
    (source / "__MACOSX" / "a.png").write_text("x")
    bring(source)
    assert sorted(delivery.files(TARGET)) == ["covid/a.png", "labels.csv"]


def test_an_empty_folder_is_refused(source):
    (source.parent / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no file"):
        bring(source.parent / "empty")


def test_a_copy_that_breaks_off_leaves_nothing(source, monkeypatch):
    def fail(one, other):
        raise OSError(28, "No space left on device", str(other))

    monkeypatch.setattr(delivery.shutil, "copyfile", fail)
    with pytest.raises(OSError, match="No space left"):
        bring(source)
    assert list(Path("data/raw").iterdir()) == []


def test_a_full_disk_is_said_before_copying(source, monkeypatch):
    monkeypatch.setattr(delivery.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(ValueError, match="are free on the disk of"):
        bring(source)


def test_what_a_killed_copy_left_is_swept_away(source):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    for owner in (gone, str(os.getppid())):
        (Path("data/raw") / f".demo.{owner}.partial").mkdir(parents=True)
    bring(source)
    left = sorted(path.name for path in Path("data/raw").iterdir())
    assert left == [f".demo.{os.getppid()}.partial", "demo"]  # the second one's owner is alive


def test_many_loose_images_are_packed(source, monkeypatch):
    monkeypatch.setattr(packing, "LOOSE_LIMIT", 10)
    monkeypatch.setattr(packing, "MOST_MEMBERS", 8)
    many(source, range(10))
    bring(source)
    assert sorted(delivery.files(TARGET)) == ["images-001.zip", "images-002.zip", "labels.csv"]
    assert len(packing.members(TARGET / "images-001.zip")) == 8
    assert "already equals" in bring(source)


def test_images_that_come_later_are_packed_into_the_next_archive(source, monkeypatch):
    monkeypatch.setattr(packing, "LOOSE_LIMIT", 10)
    many(source, range(20))
    bring(source)
    before = (TARGET / "images-001.zip").read_bytes()
    many(source, range(20, 40))
    assert "grown by 1 files" in bring(source)
    assert (TARGET / "images-001.zip").read_bytes() == before
    added = [f"covid/{number:04d}.png" for number in range(20, 40)]
    assert packing.members(TARGET / "images-002.zip") == added
    (source / "covid/0007.png").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"first difference: covid/0007\.png"):
        bring(source)


def test_a_packed_set_that_the_reader_sees_otherwise_is_refused(source, monkeypatch):
    monkeypatch.setattr(packing, "LOOSE_LIMIT", 10)
    many(source, range(20))

    def by_folder(folder):
        found = sorted(path.parent.name for path in folder.rglob("*.*") if path.is_file())
        return {"words": f"{len(found)} files", "digest": " ".join(found)}

    with pytest.raises(ValueError, match="does not see the same set once the loose images are"):
        bring(source, by_folder)
    assert list(Path("data/raw").iterdir()) == []


def test_loose_images_put_there_by_hand_are_too_many_for_dvc(source, monkeypatch):
    monkeypatch.setattr(packing, "LOOSE_LIMIT", 10)
    many(source, range(20))
    TARGET.parent.mkdir(parents=True)
    source.rename(TARGET)
    with pytest.raises(ValueError, match="holds 21 loose images, too many for DVC: move"):
        bring(TARGET)
