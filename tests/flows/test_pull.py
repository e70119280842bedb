"""All but what one may not have comes, nothing evil does, and what can't be made again is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows import guard, pipeline, pull, store
from tests.flows import deployed, evil, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# `?*`: DVC takes `/data/*` for the folder itself and overlooks the pointers in it
GITIGNORE = "/data/?*\n!/data/raw/\n/data/raw/?*\n!/data/raw/*.dvc\n/.worktrees/\n"
DVC_YAML = """\
stages:
  fit:
    cmd: mkdir -p data/models/right && cat data/raw/licensed/a.txt data/raw/free/a.txt params.yaml > data/models/right/weights.txt
    deps: [data/raw/licensed, data/raw/free]
    params: [seed]
    outs: [data/models/right]
  export:
    cmd: mkdir -p data/exported/right && (echo onnx; cat data/models/right/weights.txt) > data/exported/right/model.onnx
    deps: [data/models/right]
    outs: [data/exported/right]
"""


@pytest.fixture
def emptied(clone: Path) -> Path:
    """A clone of a pipeline on two data sets, all pushed and nothing here."""
    (clone / "dvc.yaml").write_text(DVC_YAML)
    (clone / ".gitignore").write_text(GITIGNORE)
    for name in ("licensed", "free"):
        (clone / "data/raw" / name).mkdir(parents=True)
        (clone / "data/raw" / name / "a.txt").write_text(name)
        pipeline.add(f"data/raw/{name}", clone)
    said = toy.python(clone, "-m", "dvc", "repro")
    assert said.returncode == 0, said.stderr
    deployed.git(clone, "add", "-A")
    deployed.git(clone, "commit", "-q", "-m", "two data sets")
    store.push(clone)
    shutil.rmtree(clone / ".dvc/cache")
    for path in ("data/raw/licensed", "data/raw/free", "data/models", "data/exported"):
        shutil.rmtree(clone / path)
    return clone


def test_everything_comes(emptied: Path) -> None:
    (words,) = pull.pull(root=emptied)
    assert words.startswith("4 outputs and ") and "run cache" in words
    assert (emptied / "data/raw/licensed/a.txt").read_text() == "licensed"
    assert pipeline.status(emptied) == {}


def test_without_a_licence_all_else_comes_and_its_readers_are_named(emptied: Path) -> None:
    lines = pull.pull(["licensed"], root=emptied)
    assert lines[0].startswith("3 outputs and ")
    assert lines[1] == "left out: data/raw/licensed"
    assert lines[2].startswith("can't be made again here: fit; the others can")
    assert not (emptied / "data/raw/licensed").exists()
    weights = (emptied / "data/models/right/weights.txt").read_text()
    assert weights.startswith("licensedfree")
    (emptied / "dvc.yaml").write_text(DVC_YAML.replace("echo onnx", "echo ONNX"))
    said = toy.python(emptied, "-m", "dvc", "repro", "--allow-missing")
    assert said.returncode == 0, said.stderr
    assert (emptied / "data/exported/right/model.onnx").read_text() == f"ONNX\n{weights}"
    assert "Running stage 'export'" in said.stdout and "Running stage 'fit'" not in said.stdout
    said = toy.python(emptied, "-m", "dvc", "repro", "--allow-missing", "--force", "-s", "fit")
    assert said.returncode != 0  # what reads it fails, and says what it lacks
    assert "data/raw/licensed" in said.stdout + said.stderr


def test_a_path_can_be_left_out_and_a_slip_is_told(emptied: Path) -> None:
    lines = pull.pull(["data/models"], root=emptied)
    assert lines[1:2] == ["left out: data/models"]
    assert lines[2].startswith("can't be made again here: export;")
    with pytest.raises(ValueError, match=r"nothing here is data/raw/licenced: known are .*data/raw/licensed"):  # fmt: skip
        pull.pull(["licenced"], root=emptied)


def test_a_pointer_that_dvc_overlooks_is_told(emptied: Path) -> None:
    text = (emptied / ".gitignore").read_text().replace("/data/?*", "/data/*")
    (emptied / ".gitignore").write_text(text)
    with pytest.raises(pipeline.Failed, match=r"did not bring data/raw/free, data/raw/licensed"):
        pull.pull(root=emptied)


def test_what_the_remote_lacks_is_told(emptied: Path) -> None:
    shutil.rmtree(emptied.parent / "storage/files")
    with pytest.raises(pipeline.Failed, match=r"dvc pull"):
        pull.pull(root=emptied)


@pytest.mark.parametrize("name", evil.LISTS)
def test_nothing_evil_is_written(clone: Path, name: str) -> None:
    evil.outside(clone)
    store.push(clone)
    evil.listed(clone, evil.LISTS[name][0])
    with pytest.raises(guard.Refused):
        pull.pull(root=clone)
    assert evil.untouched(clone) and not (clone / "data/raw/x").exists()


@pytest.mark.parametrize("name", ["a link out of a folder", "a pointer out", "a hash that is a path"])  # fmt: skip
def test_an_evil_commit_gets_no_data(clone: Path, name: str) -> None:
    evil.outside(clone)
    store.push(clone)
    commit = evil.commit(clone, evil.COMMITS[name][0])
    toy.git(clone, "-c", "core.hooksPath=/dev/null", "checkout", "-q", "--detach", commit)
    with pytest.raises(guard.Refused):
        pull.pull(root=clone)
    assert evil.untouched(clone)


def test_the_command_prints_what_came(emptied: Path) -> None:
    said = toy.python(emptied, "-m", "flows.pull", "--without", "licensed", PYTHONPATH=str(toy.ROOT))  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "left out: data/raw/licensed" in said.stdout
    said = toy.python(emptied, "-m", "flows.pull", "--without", "x", PYTHONPATH=str(toy.ROOT))
    assert said.returncode == 1 and said.stderr.startswith("error: nothing here is data/raw/x")
