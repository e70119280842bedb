"""What the gate gets of the champion: its own results, and a list that is frozen once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows import champion, pipeline
from flows.registry import Version
from tests.flows import toy

PARAMS = "study: toy\ngate:\n  models: [{model}]\n"
MANIFEST = """\
image,dataset,sha256,label:sick,label:well
t/b.png,t,bb,1.0,0.0
t/a.png,t,aa,0.0,
t/c.png,t,cc,0.0,1.0
"""
SPLITS = (
    "image,group,fold_0,fold_1\nt/a.png,g,train,test\nt/b.png,g,test,train\nt/c.png,g,train,val\n"
)


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose first commit is that of a champion, and whose division is made."""
    toy.git(tmp_path, "init", "-q", "-b", "main")
    reports = {
        "reports/evaluate/old/plots/predictions.csv": "image,score\nt/a.png,0.5\n",
        "reports/evaluate/old/metrics.json": '{"model": "old"}\n',
        "reports/export/old/metrics.json": '{"onnx_bytes": 9}\n',
    }
    put(tmp_path, {"params.yaml": PARAMS.format(model="old"), **reports})
    toy.commit(tmp_path)
    put(
        tmp_path,
        {"params.yaml": PARAMS.format(model="new"), "reports/evaluate/old/metrics.json": "{}"},
    )
    put(tmp_path, {"data/manifest.csv": MANIFEST, "data/splits.csv": SPLITS})
    put(tmp_path, {"studies/toy/study.yaml": ""})
    monkeypatch.setattr(pipeline, "add", lambda path, root: (root / f"{path}.dvc").write_text("x"))
    return tmp_path


def version(root: Path) -> Version:
    commit = toy.git(root, "rev-parse", "HEAD").strip()
    return Version(name="toy", number="v1.0.0", tag="toy@v1.0.0", commit=commit)


def test_the_list_is_the_test_images_with_their_labels(root: Path) -> None:
    champion.freeze("toy", root)
    assert (root / "studies/toy/acceptance.csv").read_text() == (
        "image,sha256,label:sick,label:well\nt/a.png,aa,0.0,\nt/b.png,bb,1.0,0.0\n"
    )
    assert champion.digits("toy", root) == "1934fca9dc7c"
    put(root, {"data/splits.csv": SPLITS.replace("test", "train")})
    with pytest.raises(ValueError, match="no image is test: raise"):
        champion.freeze("toy", root)


def test_the_champions_results_are_those_of_its_commit(root: Path) -> None:
    champion.freeze("toy", root)
    champion.bring("toy", root, best=version(root), times=3)
    folder = root / "data/champion"
    assert json.loads((folder / "about.json").read_text()) == {
        "version": "toy@v1.0.0",
        "openings": 3,
    }
    assert (folder / "metrics.json").read_text() == '{"model": "old"}\n'
    assert (folder / "export.json").read_text() == '{"onnx_bytes": 9}\n'
    assert (folder / "predictions.csv").read_text() == "image,score\nt/a.png,0.5\n"
    assert (folder / "acceptance.csv").read_text() == (
        root / "studies/toy/acceptance.csv"
    ).read_text()
    assert (root / "data/champion.dvc").exists()


def test_without_a_champion_there_is_the_list_alone(root: Path) -> None:
    champion.freeze("toy", root)
    champion.bring("toy", root, best=None, times=1)
    names = sorted(path.name for path in (root / "data/champion").iterdir())
    assert names == ["about.json", "acceptance.csv"]
    about = json.loads((root / "data/champion/about.json").read_text())
    assert about == {"version": None, "openings": 1}


def test_a_champion_without_its_results_is_refused(root: Path) -> None:
    champion.freeze("toy", root)
    toy.git(root, "rm", "-q", "--cached", "reports/export/old/metrics.json")
    toy.git(root, "commit", "-q", "-m", "lost")
    with pytest.raises(ValueError, match=r"reports/export/old/metrics\.json"):
        champion.bring("toy", root, best=version(root), times=1)


def test_a_study_without_a_challenger_is_named(root: Path) -> None:
    assert champion.challenger(PARAMS.format(model="new")) == "new"
    with pytest.raises(ValueError, match=r"gate.models of study toy is empty: name the model"):
        champion.challenger("study: toy\ngate:\n  models: []\n")


def test_the_verdict_comes_with_reasons_and_warnings(root: Path) -> None:
    text = json.dumps({"verdict": "reject", "reasons": ["a", "b"], "warnings": ["c"]})
    put(root, {"reports/gate/verdict.json": text})
    assert champion.read_verdict(root) == ("reject", "a; b; c", text)
