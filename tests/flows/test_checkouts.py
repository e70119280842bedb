"""Worktrees that share the cache: nothing is made twice, nothing is left, nobody's checkout changes."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from flows import checkouts, guard, pipeline
from tests.flows import evil, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def worktrees(root: Path) -> int:
    return len(toy.git(root, "worktree", "list").splitlines())


def test_what_was_made_is_restored_in_a_worktree(repository: Path) -> None:
    (repository / "data/raw").mkdir()
    (repository / "data/raw/images.txt").write_text("white noise")
    pipeline.add("data/raw/images.txt", repository)
    before = toy.commit(repository, "raw data")
    (repository / "params.yaml").write_text("broken")
    folder = checkouts.add("one", before, root=repository)
    assert folder == (repository / ".worktrees/one").resolve()
    assert (folder / "data/raw/images.txt").read_text() == "white noise"
    said = toy.python(folder, "-m", "flows.pipeline")
    assert said.returncode == 0 and "Running stage" not in said.stdout
    assert (folder / "data/models/left/weights.txt").exists()
    assert toy.git(repository, "status", "--porcelain") == " M params.yaml\n"
    assert pipeline.status(folder) == {}
    checkouts.remove(folder, root=repository)
    assert not folder.exists() and worktrees(repository) == 1


def test_a_worktree_has_the_remotes_of_this_machine(repository: Path) -> None:
    (repository / ".dvc/config.local").write_text("['remote \"here\"']\n    url = /nowhere\n")
    folder = checkouts.add("one", "HEAD", root=repository)
    text = (folder / ".dvc/config.local").read_text()
    assert "url = /nowhere" in text and str(repository / ".dvc/cache") in text
    assert "dir" not in (repository / ".dvc/config.local").read_text()


def test_what_only_the_remote_has_is_brought_the_champion_too(
    repository: Path, tmp_path: Path
) -> None:
    for name in ("data/raw/images.txt", "data/champion"):
        path = repository / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"bytes of {name}")
        pipeline.add(name, repository)
        path.unlink()
    toy.commit(repository, "raw data and a champion")
    (tmp_path / "storage").mkdir()
    local = f"[core]\n    remote = here\n['remote \"here\"']\n    url = {tmp_path}/storage\n"
    (repository / ".dvc/config.local").write_text(local)
    said = toy.python(
        repository, "-m", "dvc", "push", "data/raw/images.txt.dvc", "data/champion.dvc"
    )
    assert said.returncode == 0, said.stderr
    shutil.rmtree(repository / ".dvc/cache/files")
    folder = checkouts.add("one", "HEAD", root=repository)
    for name in ("data/raw/images.txt", "data/champion"):
        assert (folder / name).read_text() == f"bytes of {name}"


def test_raw_data_that_the_cache_lacks_leave_no_worktree(repository: Path) -> None:
    (repository / "data/raw").mkdir()
    (repository / "data/raw/images.txt").write_text("white noise")
    pipeline.add("data/raw/images.txt", repository)
    toy.commit(repository, "raw data")
    for path in (repository / ".dvc/cache/files").rglob("*"):
        if path.is_file() and path.read_bytes() == b"white noise":
            path.chmod(0o644)
            path.unlink()
    (repository / "data/raw/images.txt").unlink()
    with pytest.raises(pipeline.Failed, match=r"images\.txt"):
        checkouts.add("one", "HEAD", root=repository)
    assert worktrees(repository) == 1
    assert not (repository / ".worktrees/one").exists()


def test_an_unknown_revision_and_a_name_in_use_are_told(repository: Path) -> None:
    with pytest.raises(ValueError, match="'nowhere' is no commit"):
        checkouts.add("one", "nowhere", root=repository)
    checkouts.add("one", "HEAD", root=repository)
    with pytest.raises(ValueError, match=r"worktrees/one is there already"):
        checkouts.add("one", "HEAD", root=repository)
    assert worktrees(repository) == 2


def test_the_same_versions_need_no_other_python(tmp_path: Path) -> None:
    for name, text in {
        "a": "x==1\n    # via y\n",
        "b": "x==1\n    # via z\n",
        "c": "x==2\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.lock").write_text(text)
    assert checkouts.interpreter(tmp_path / "a", root=tmp_path / "b") == Path(sys.executable)
    with pytest.raises(ValueError, match=r"`make setup` failed in .*c"):  # no Makefile there
        checkouts.interpreter(tmp_path / "c", root=tmp_path / "b")


def test_a_preflight_that_fails_says_why(repository: Path) -> None:
    (repository / "stages/__main__.py").write_text("raise SystemExit('params.yaml: no such run')\n")
    with pytest.raises(ValueError, match=r"^params.yaml: no such run$"):
        checkouts.preflight(repository, Path(sys.executable))


def test_hooks_of_the_clone_are_not_run(repository: Path) -> None:
    hook = repository / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\ntouch hooked\nexit 1\n")
    hook.chmod(0o755)
    folder = checkouts.add("one", "HEAD", root=repository)
    assert not (folder / "hooked").exists() and not (repository / "hooked").exists()


@pytest.mark.parametrize("name", ["a link out", "a link into the hooks"])
def test_a_commit_that_leads_out_of_its_tree_gets_no_worktree(clone: Path, name: str) -> None:
    evil.outside(clone)
    commit = evil.commit(clone, evil.COMMITS[name][0])
    with pytest.raises(guard.Refused, match="nothing of it was written"):
        checkouts.add("evil", commit, root=clone)
    assert evil.untouched(clone) and worktrees(clone) == 1
