"""Assignments are the study's own split, move nothing that stood before, and say what to write."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from flows import assignments, pipeline, study

SPLITS = "image,group,fold_0,fold_1\na,p,train,test\nb,p,excluded,excluded\nc,q,test,excluded\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study whose split is done; DVC is asked nothing."""
    monkeypatch.chdir(tmp_path)
    for path, text in (("params.yaml", "study: toy\n"), ("data/splits.csv", SPLITS)):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text)
    Path("studies/toy").mkdir(parents=True)
    monkeypatch.setattr(study, "text", lambda name: f"study: {name}\n")
    monkeypatch.setattr(pipeline, "stages", lambda: ["ingest@x", "merge", "split", "compare"])
    monkeypatch.setattr(pipeline, "status", lambda: {"compare": ["changed"]})
    monkeypatch.setattr(sys, "argv", ["assignments", "toy"])
    return tmp_path


def test_parts_are_kept_without_groups_and_the_lines_name_the_file(project, capsys):
    assignments.main()
    content = Path("studies/toy/assignments.csv").read_bytes()
    assert content == b"image,fold_0,fold_1\na,train,test\nc,test,excluded\n"
    sha256 = hashlib.sha256(content).hexdigest()
    said = capsys.readouterr().out
    assert study.parse(said) == {
        "split": {
            "assignments": {"file": "studies/toy/assignments.csv", "sha256": sha256},
            "frozen": ["test"],
        }
    }
    assert said.startswith("# commit studies/toy/assignments.csv and put this into studies/toy/")


def test_new_images_are_added_and_gone_ones_go(project):
    assignments.main()
    text = SPLITS.replace("c,q,test,excluded", "d,q,val,test").replace("b,p,excluded", "b,p,train")
    Path("data/splits.csv").write_text(text)
    assignments.main()
    assert Path("studies/toy/assignments.csv").read_text() == (
        "image,fold_0,fold_1\na,train,test\nb,train,excluded\nd,val,test\n"
    )


@pytest.mark.parametrize(
    "text", [SPLITS.replace("a,p,train", "a,p,val"), "image,group,fold_0\na,p,train\n"]
)
def test_a_split_that_moves_an_image_is_refused(project, text, capsys):
    assignments.main()
    before = Path("studies/toy/assignments.csv").read_bytes()
    Path("data/splits.csv").write_text(text)
    with pytest.raises(SystemExit):
        assignments.main()
    assert "1 images of studies/toy/assignments.csv stand elsewhere" in capsys.readouterr().err
    assert Path("studies/toy/assignments.csv").read_bytes() == before


def test_another_study_or_an_outdated_split_is_refused(project, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "status", lambda: {"merge": [], "compare": []})
    with pytest.raises(SystemExit):
        assignments.main()
    assert "not up to date: merge; run `make repro TARGET=split`" in capsys.readouterr().err
    Path("params.yaml").write_text("study: other\n")
    with pytest.raises(SystemExit):
        assignments.main()
    assert "params.yaml is not the study toy: run `make study STUDY=toy`" in capsys.readouterr().err
    assert not Path("studies/toy/assignments.csv").exists()
