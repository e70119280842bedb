"""What leads out of a tree is refused before any of it is used, and all of it is named in one table."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path

import pytest

from flows import checkouts, guard
from tests.flows import deployed, evil, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def clone(clone: Path) -> Path:
    evil.outside(clone)
    return clone


@pytest.mark.parametrize("name", evil.COMMITS)
def test_an_evil_commit_is_refused_before_it_is_checked_out(clone: Path, name: str) -> None:
    make, fault = evil.COMMITS[name]
    commit = evil.commit(clone, make)
    with pytest.raises(guard.Refused, match=r"nothing of it was written") as error:
        guard.check_commit(commit, root=clone)
    assert fault in [one.fault for one in error.value.findings] or fault in str(error.value)
    assert evil.untouched(clone)


@pytest.mark.parametrize("names", [(".git", "hooks"), ("a", ".git"), (".GIT",), ("..", "outside"), ("a", "git~1")])  # fmt: skip
def test_paths_that_git_would_never_add_are_refused(clone: Path, names: tuple[str, ...]) -> None:
    commit = evil.tree(clone, *names)
    with pytest.raises(guard.Refused, match=r"leads into .git|leads out of the tree"):
        guard.check_commit(commit, root=clone)


def test_a_submodule_and_a_machines_own_settings_are_refused(clone: Path) -> None:
    head = toy.git(clone, "rev-parse", "HEAD").strip()
    toy.git(clone, "update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    (clone / ".dvc/config.local").write_text("[cache]\n    dir = /outside\n")
    toy.git(clone, "add", "--force", ".dvc/config.local")
    deployed.git(clone, "commit", "-q", "-m", "evil")
    with pytest.raises(guard.Refused) as error:
        guard.check_commit("HEAD", root=clone)
    assert {one.where: one.fault.split(",")[0] for one in error.value.findings} == {
        ".dvc/config.local": "belongs to one machine and is never in git",
        "sub": "is a submodule",
    }


def test_everything_is_named_in_one_table(clone: Path) -> None:
    def make(clone: Path) -> None:
        for name in ("a link out", "a link into the hooks", "a pointer out"):
            evil.COMMITS[name][0](clone)

    with pytest.raises(guard.Refused) as error:
        guard.check_commit(evil.commit(clone, make), root=clone)
    lines = str(error.value).splitlines()
    assert lines[1:3] == ["| where | fault |", "| --- | --- |"]
    assert [line.split(" | ")[0] for line in lines[3:]] == [
        "| data/evil -> ../.git/hooks", "| data/raw/x.dvc: ../../../outside/x", "| evil -> ../outside",
    ]  # fmt: skip


def test_honest_trees_pass_this_projects_too(clone: Path) -> None:
    guard.check_commit("HEAD", root=toy.ROOT)

    def make(clone: Path) -> None:
        evil.links(data__two="../reports", one="data/two/../reports/arrivals.csv")(clone)
        evil.pointer(f"{{path: x, md5: {evil.MD5}.dir}}")(clone)

    guard.check_commit(evil.commit(clone, make), root=clone)
    folder = checkouts.add("one", "HEAD", root=clone)
    guard.check_folder(folder, cache=clone / ".dvc/cache")


def test_a_folder_on_the_disk_is_looked_at_without_following_or_opening(tmp_path: Path) -> None:
    folder, cache = tmp_path / "tree", tmp_path / "cache"
    (folder / "inner").mkdir(parents=True)
    cache.mkdir()
    for where, target in {
        "out": "../outside", "absolute": str(folder / "inner"), "inner/hooks": "../.git/hooks",
        "fine": "inner/file", "dangling": "inner/nowhere", "dvc": str(cache / "ab/cdef"),
    }.items():  # fmt: skip
        (folder / where).symlink_to(target)
    (folder / "inner/file").write_text("words")
    expected = {
        "out": "is a link out of the tree", "absolute": "is an absolute link",
        "inner/hooks": "is a link into .git or .dvc", **evil.devices(folder),
    }  # fmt: skip
    with socket.socket(socket.AF_UNIX) as one, contextlib.chdir(folder):
        one.bind("socket")
    expected["socket"] = "is neither a file nor a folder"
    with pytest.raises(guard.Refused) as error:
        guard.check_folder(folder, cache=cache)
    assert {one.where: one.fault for one in error.value.findings} == expected


def test_what_make_sets_up_is_no_stranger(tmp_path: Path) -> None:
    """Environments hold links to a Python somewhere else; .gitignore names all such folders of ours."""
    ours = re.findall(r"^/(\.\w+)/$", (toy.ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert {".venv", ".bootstrap", ".bench"} <= set(ours)
    for name in [*ours, "stranger"]:
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/python").symlink_to("/usr/bin/python3")
    with pytest.raises(guard.Refused) as error:
        guard.check_folder(tmp_path)
    assert [one.where for one in error.value.findings] == ["stranger/bin/python"]


def test_the_command_tells_of_a_branch(clone: Path) -> None:
    said = toy.python(clone, "-m", "flows.guard", PYTHONPATH=str(toy.ROOT))
    assert (said.returncode, said.stdout) == (0, "HEAD: nothing in it leads out of it\n")
    commit = evil.commit(clone, evil.COMMITS["a link out"][0])
    said = toy.python(clone, "-m", "flows.guard", commit, PYTHONPATH=str(toy.ROOT))
    assert said.returncode == 1
    assert "error: | evil -> ../outside | is a link out of the tree |" in said.stderr
