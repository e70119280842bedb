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
    monkeypatch.setattr(study, "text", lambda name, **_: f"study: {name}\n")
    outs = {"ingest@x": "x.csv", "merge": "m.csv", "split": "data/splits.csv", "compare": "c.json"}
    stages = [pipeline.Stage(name=name, outs=(out,)) for name, out in outs.items()]
    monkeypatch.setattr(pipeline, "graph", lambda _: stages)
    monkeypatch.setattr(pipeline, "status", lambda _, **__: {"compare": ["changed"]})
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
    monkeypatch.setattr(pipeline, "status", lambda _, **__: {"merge": [], "compare": []})
    with pytest.raises(SystemExit):
        assignments.main()
    assert "not up to date: merge; run `make repro TARGET=split`" in capsys.readouterr().err
    Path("params.yaml").write_text("study: other\n")
    with pytest.raises(SystemExit):
        assignments.main()
    assert "params.yaml is not the study toy: run `make study STUDY=toy`" in capsys.readouterr().err
    assert not Path("studies/toy/assignments.csv").exists()


@pytest.fixture
def elsewhere(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same project, in which nobody stands; studies are composed as ever."""
    monkeypatch.undo()
    split = pipeline.Stage(name="split", outs=("data/splits.csv",))
    monkeypatch.setattr(pipeline, "graph", lambda _: [split])
    monkeypatch.setattr(pipeline, "status", lambda _, **__: {})
    (project / "studies/defaults.yaml").write_text("split: {assignments: null, frozen: [test]}\n")
    (project / "studies/toy/study.yaml").write_text("")
    study.write("toy", root=project)
    return project


def test_what_is_pinned_grows_and_keeps_what_is_gone(elsewhere):
    assert assignments.pin("toy", root=elsewhere) == ["split.assignments: null → 2 keys"]
    text = SPLITS.replace("c,q,test,excluded", "d,q,val,test").replace("a,p,train", "a,p,excluded")
    (elsewhere / "data/splits.csv").write_text(text)
    assignments.pin("toy", root=elsewhere)
    content = (elsewhere / "studies/toy/assignments.csv").read_bytes()
    assert content == b"image,fold_0,fold_1\na,train,test\nc,test,excluded\nd,val,test\n"
    bound = {
        "file": "studies/toy/assignments.csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    composed = study.compose("toy", root=elsewhere)
    assert composed["split"] == {"assignments": bound, "frozen": ["test"]}
    assert study.parse((elsewhere / "params.yaml").read_text()) == composed


def test_what_was_pinned_never_moves_though_it_was_gone(elsewhere):
    for text in (SPLITS, SPLITS.replace("a,p,train,test\n", "")):
        (elsewhere / "data/splits.csv").write_text(text)
        assignments.pin("toy", root=elsewhere)
    (elsewhere / "data/splits.csv").write_text(SPLITS.replace("a,p,train", "a,p,val"))
    before = (elsewhere / "studies/toy/pinned.yaml").read_bytes()
    with pytest.raises(ValueError, match=r"1 images of .*assignments.csv stand elsewhere .* 'a'"):
        assignments.pin("toy", root=elsewhere)
    assert (elsewhere / "studies/toy/pinned.yaml").read_bytes() == before
