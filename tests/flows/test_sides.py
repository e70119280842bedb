"""A side comes out of git as it was committed: regular files, below its folder, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import sides
from tests.flows import toy

LOCK = """\
schema: '2.0'
stages:
  fit:
    cmd: python -m stages.fit
    deps:
    - path: cxr/nets
      md5: {folder}
    - path: stages/fit.py
      md5: {file}
    - path: data/raw/toy
      md5: whatever.dir
    params:
      params.yaml:
        seed: 7
        fit.recipes.a:
          epochs: 4
    outs:
    - path: reports/fit/metrics.json
      md5: abc
"""
FILES = {
    "params.yaml": "seed: 7\nfit:\n  recipes:\n    a: {epochs: 4}\n",
    "dvc.yaml": "stages:\n  fit: {cmd: x}\n",
    "cxr/nets/one.py": "one\n",
    "cxr/nets/deep/two.py": "two\n",
    "stages/fit.py": "fit\n",
    "reports/fit/metrics.json": "{}\n",
    "tests/test_fit.py": "no part of a side\n",
    ".gitignore": "/reports/host/\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a lock file that is of its code."""
    root = tmp_path / "root"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    hashes = {"folder": sides.md5_of(root / "cxr/nets"), "file": sides.md5_of(root / "stages/fit.py")}  # fmt: skip
    (root / "dvc.lock").write_text(LOCK.format(**hashes))
    toy.git(root, "init", "-q", "-b", "main")
    toy.commit(root)
    return root


def taken(root: Path, revision: str | None, out: Path) -> dict[str, str]:
    sides.take_out(revision, out, root=root)
    files = [path for path in out.rglob("*") if not path.is_dir()]
    assert not any(path.is_symlink() for path in files)
    return {path.relative_to(out).as_posix(): path.read_text() for path in sorted(files)}


def test_a_commit_gives_its_own_files_whatever_the_tree_holds(root: Path, tmp_path: Path) -> None:
    (root / "params.yaml").write_text("seed: 8\n")
    found = taken(root, "HEAD", tmp_path / "out")
    assert found["params.yaml"] == FILES["params.yaml"]
    assert {*found} == {*FILES, "dvc.lock"} - {"tests/test_fit.py", ".gitignore"}
    assert not (tmp_path / "out.tar").exists()


def test_the_working_tree_gives_what_git_does_not_ignore(root: Path, tmp_path: Path) -> None:
    (root / "params.yaml").write_text("seed: 8\n")
    (root / "reports/new.json").write_text("{}")
    (root / "reports/host").mkdir()
    (root / "reports/host/note.json").write_text("{}")
    (root / "reports/fit/metrics.json").unlink()
    found = taken(root, None, tmp_path / "out")
    assert found["params.yaml"] == "seed: 8\n" and "reports/new.json" in found
    assert not {"reports/host/note.json", "reports/fit/metrics.json"} & {*found}


@pytest.mark.parametrize("revision", ["HEAD", None])
def test_links_are_left_where_they_are(root: Path, tmp_path: Path, revision: str | None) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (root / "reports/link.json").symlink_to(secret)
    (root / "reports/folder").symlink_to(tmp_path)
    toy.commit(root)
    found = taken(root, revision, tmp_path / "out")
    assert "secret" not in found.values() and not {x for x in found if x.startswith("reports/folder")}  # fmt: skip


def test_an_unknown_revision_is_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'nowhere' is no commit of this repository"):
        sides.take_out("nowhere", tmp_path / "out", root=root)


def test_a_lock_file_of_its_code_is_not_stale_and_any_other_is(root: Path) -> None:
    assert sides.stale(root) == []
    (root / "cxr/nets/deep/two.py").write_text("other\n")
    (root / "params.yaml").write_text("seed: 7\nfit:\n  recipes:\n    a: {epochs: 9}\n")
    assert sides.stale(root) == [
        "dvc.lock was made with another cxr/nets (fit): run `make repro` and commit",
        "dvc.lock was made with another `fit.recipes.a` of params.yaml (fit): run `make repro` and commit",
    ]
