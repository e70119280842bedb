"""The command `make data`: its words, the reader's look at the download, weights, DVC."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxr.datasets import darkcovidnet
from flows import data
from stages import __main__ as preflight
from tests.flows import toy


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git and DVC repository as the current folder; its subprocesses import this project."""
    folder = tmp_path / "project"
    (folder / "cxr/datasets").mkdir(parents=True)
    (folder / "cxr/datasets/darkcovidnet.py").write_text("")
    (folder / "stages").mkdir()
    (folder / "stages/phantom.py").write_text("")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(toy.ROOT))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # not the empty cxr and stages of this folder
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    return folder


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """The tiny fake of darkcovidnet, as if it had been downloaded."""
    folder = tmp_path / "download" / "darkcovidnet"
    darkcovidnet.sample(folder)
    return folder


def test_a_data_set_is_checked_copied_and_known_to_dvc(project, download, capsys):
    data.add("darkcovidnet", download)
    said = capsys.readouterr().out
    assert "darkcovidnet: 10 images (covid 4, no_findings 3, pneumonia 3)\n" in said
    assert f"data/raw/darkcovidnet: copied from {download}; DVC takes note of it" in said
    assert (project / "data/raw/darkcovidnet.dvc").is_file()
    assert len(list((project / "data/raw/darkcovidnet").rglob("*.*"))) == 10
    data.add("darkcovidnet", download)
    assert f"data/raw/darkcovidnet already equals {download}" in capsys.readouterr().out


def test_a_wrong_layout_is_refused_before_anything_is_copied(project, download, capsys):
    (download / "X-Ray Image DataSet/Pneumonia").rename(download / "Pneumonie")
    with pytest.raises(
        ValueError,
        match=r"has not the layout that the reader of darkcovidnet expects: .*no images in a folder "
        r"Pneumonia .*https://github.com/muhammedtalo/COVID-19.* \(nothing was copied\)",
    ):
        data.add("darkcovidnet", download)
    assert not (project / "data").exists()


def test_make_data_ended_in_the_middle_leaves_nothing(project, download):
    """SIGTERM arrives while DVC or the copy is at work; whatever lies in data/raw is whole."""
    command = [sys.executable, "-m", "flows.data", "darkcovidnet", str(download)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.endswith("interrupted: nothing half is left, run it again\n")
    raw = project / "data/raw"
    assert not raw.exists() or list(raw.glob(".*")) == []


def test_weights_come_with_their_hash_and_are_never_replaced(project, tmp_path):
    folder = tmp_path / "weights"
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


def test_an_unknown_data_set_lists_the_known(project, tmp_path):
    with pytest.raises(ValueError, match="unknown data set 'dmo': known are darkcovidnet, weights"):
        data.add("dmo", tmp_path)
    with pytest.raises(ValueError, match="made by its stage"):
        data.add("phantom", tmp_path)
    with pytest.raises(ValueError, match="FROM=nowhere is missing"):
        data.add("darkcovidnet", Path("nowhere"))


class _Reader:
    """A reader of a table of three images, of which one may be missing, and of a mask."""

    class SOURCE:
        url = "https://example.org/page"
        hint = "take the first link"

    @staticmethod
    def read(root):
        import pandas as pd

        if not (root / "table.csv").exists():
            raise ValueError(f"table.csv is missing in {root}")
        names = ["a.png", "b.png", "c.png", "mask.png"]
        found = {path.name: path.relative_to(root).as_posix() for path in root.rglob("*.png")}
        images = [found.get(name, name) for name in names]
        kinds = ["image", "image", "image", "mask"]
        return pd.DataFrame({"image": images, "kind": kinds, "label:x": [1.0, 0.0, 1.0, 0.0]})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight.plugins, "load", lambda folder, name: _Reader)
    (tmp_path / "in").mkdir()
    (tmp_path / "table.csv").write_text("")
    for name in ("a.png", "b.png", "c.png", "mask.png"):
        (tmp_path / "in" / name).write_bytes(b"x")
    return tmp_path


def test_the_survey_counts_images_and_masks(folder):
    assert preflight.survey("demo", folder)["words"] == "demo: 3 images (x 2), 1 masks"


def test_the_survey_says_what_is_absent_and_which_page_has_it(folder):
    (folder / "in/c.png").unlink()
    (folder / "in/d.png").write_bytes(b"x")
    assert preflight.survey("demo", folder)["words"] == (
        "demo: 2 images (x 1), 1 masks; 1 of 4 listed images are absent (first c.png): "
        "https://example.org/page; 1 files are in no table (first in/d.png)"
    )


def test_the_digest_is_of_the_set_and_not_of_its_folders(folder):
    before = preflight.survey("demo", folder)["digest"]
    (folder / "in").rename(folder / "out")
    assert preflight.survey("demo", folder)["digest"] == before
    (folder / "out/b.png").unlink()
    assert preflight.survey("demo", folder)["digest"] != before


def test_a_readers_complaint_names_the_page(folder):
    (folder / "table.csv").unlink()
    with pytest.raises(
        ValueError, match=r"missing in .*; see https://example.org/page; take the first link$"
    ):
        preflight.survey("demo", folder)
    (folder / "table.csv").write_text("")
    for path in (folder / "in").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"holds none of the 4 images that its table lists; see "):
        preflight.survey("demo", folder)


def test_the_command_line_reads_another_folder(python, download):
    done = python("-m", "stages", "--dataset", "darkcovidnet", "--folder", str(download), "--json")
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == ["digest", "words"]
