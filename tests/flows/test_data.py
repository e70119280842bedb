"""Bringing data in: whole or not at all, never over something else, never through a link."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from flows import data


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


def test_a_folder_is_copied_once(source):
    target = Path("data/raw/demo")
    assert data.bring("demo", source, target)
    assert sorted(data.files(target)) == ["covid/a.png", "labels.csv"]
    assert (target / "covid/a.png").read_bytes() == b"a"
    assert not data.bring("demo", source, target)
    assert [path.name for path in Path("data/raw").iterdir()] == ["demo"]


def test_other_content_is_not_overwritten(source):
    target = Path("data/raw/demo")
    data.bring("demo", source, target)
    (source / "labels.csv").write_text("y\n")
    with pytest.raises(ValueError, match=r"first difference: labels.csv.*rm -r data/raw/demo"):
        data.bring("demo", source, target)
    assert (target / "labels.csv").read_text() == "x\n"


def test_one_file_is_a_data_set_too(source):
    data.bring("demo", source / "labels.csv", Path("data/raw/demo"))
    assert list(data.files(Path("data/raw/demo"))) == ["labels.csv"]


def test_a_link_out_of_the_folder_is_refused(source):
    (source / "link.csv").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="is a link out of"):
        data.bring("demo", source, Path("data/raw/demo"))
    assert not Path("data/raw/demo").exists()


def test_a_link_inside_becomes_a_file(source):
    (source / "link.csv").symlink_to("labels.csv")
    data.bring("demo", source, Path("data/raw/demo"))
    assert not Path("data/raw/demo/link.csv").is_symlink()
    assert Path("data/raw/demo/link.csv").read_text() == "x\n"


def test_an_empty_folder_is_refused(source):
    (source.parent / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no file"):
        data.bring("demo", source.parent / "empty", Path("data/raw/demo"))


def test_a_copy_that_breaks_off_leaves_nothing(source, monkeypatch):
    def fail(one, other):
        raise OSError(28, "No space left on device", str(other))

    monkeypatch.setattr(data.shutil, "copyfile", fail)
    with pytest.raises(OSError, match="No space left"):
        data.bring("demo", source, Path("data/raw/demo"))
    assert list(Path("data/raw").iterdir()) == []


def test_a_full_disk_is_said_before_copying(source, monkeypatch):
    monkeypatch.setattr(data.shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(ValueError, match="are free on the disk of"):
        data.bring("demo", source, Path("data/raw/demo"))


def test_weights_come_with_their_hash_and_are_never_replaced(source):
    folder = source.parent / "weights"
    folder.mkdir()
    (folder / "net.safetensors").write_bytes(b"w")
    (folder / "SOURCE.md").write_text("words")
    (line,) = data.bring_weights(folder)
    assert line.endswith(f"sha256 {hashlib.sha256(b'w').hexdigest()}")
    assert sorted(path.name for path in Path("data/raw/weights").iterdir()) == ["net.safetensors"]
    assert data.bring_weights(folder) == []
    (folder / "net.safetensors").write_bytes(b"v")
    with pytest.raises(ValueError, match="differs from"):
        data.bring_weights(folder)


def test_an_unknown_data_set_lists_the_known(source):
    Path("cxr/datasets").mkdir(parents=True)
    for name in ("demo", "phantom", "_source"):
        (Path("cxr/datasets") / f"{name}.py").write_text("")
    Path("stages").mkdir()
    Path("stages/phantom.py").write_text("")
    with pytest.raises(ValueError, match="unknown data set 'dmo': known are demo, weights"):
        data.add("dmo", source)
    with pytest.raises(ValueError, match="made by its stage"):
        data.add("phantom", source)
    with pytest.raises(ValueError, match="FROM=nowhere is missing"):
        data.add("demo", Path("nowhere"))
