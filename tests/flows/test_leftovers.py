"""What dead runs left goes when it is old; what is young, somebody's or in use stays."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import leftovers
from tests.flows import toy

DAY_S = 86_400.0


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit; the system's folder for temporary files lies beside it."""
    root = tmp_path / "with a space"
    root.mkdir()
    toy.git(root, "init", "-q", "-b", "main")
    (root / "code.py").write_text("pass\n")
    (root / ".gitignore").write_text("/.worktrees/\n/data/\n")
    toy.commit(root)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return root


def age(path: Path) -> Path:
    """Make a path look as if nobody touched it for a hundred days."""
    then = time.time() - 100 * DAY_S
    for each in [*path.rglob("*"), path]:
        os.utime(each, (then, then), follow_symlinks=False)
    return path


def worktree(root: Path, name: str, *words: str) -> Path:
    folder = root / ".worktrees" / name
    toy.git(root, "worktree", "add", "-q", *(words or ("--detach",)), str(folder))
    return folder


def sweep(root: Path, *, dry: bool = False) -> dict[str, str]:
    """Sweep what is older than ten days; return why each stays, by name."""
    found = leftovers.sweep(time.time() - 10 * DAY_S, dry=dry, root=root)
    return {left.path.name: left.why_not for left in found}


def test_old_worktrees_go_unless_they_are_somebodys(root: Path) -> None:
    lock = age(worktree(root, "dead")) / ".dvc/tmp/lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("")  # as housekeeping itself leaves it, week by week
    os.utime(root / ".worktrees/dead", (0, 0))
    worktree(root, "young")
    age(worktree(root, "branch", "-b", "mine"))
    toy.git(root, "worktree", "lock", str(age(worktree(root, "locked"))))
    half_made = root / ".worktrees/half made"
    half_made.mkdir()
    (half_made / "x").write_text("x")
    age(half_made)
    (root / ".worktrees/retrain.lock").write_text("")

    goes = {"branch": "it is on branch mine", "dead": "", "half made": ""}
    goes["locked"] = "it is locked (`git worktree unlock`)"
    assert sweep(root, dry=True) == goes
    assert (root / ".worktrees/dead/code.py").exists()
    assert sweep(root) == goes
    left = sorted(path.name for path in (root / ".worktrees").iterdir())
    assert left == ["branch", "locked", "retrain.lock", "young"]
    assert len(toy.git(root, "worktree", "list").splitlines()) == 4


@contextlib.contextmanager
def living(*words: str, cwd: Path | None = None) -> Iterator[int]:
    """A process that says when it is at work; its id."""
    with subprocess.Popen(
        [sys.executable, "-c", *words], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"works\n"
        try:
            yield process.pid
        finally:
            process.kill()


WORK = "print('works', flush=True); input()"


@pytest.mark.parametrize("how", ["works in it", "has a file open", "was given it"])
def test_what_a_living_process_uses_stays(root: Path, how: str) -> None:
    folder = age(worktree(root, "one"))
    inside = folder / "code.py"
    if how == "works in it":
        process = living(WORK, cwd=folder)
    elif how == "has a file open":
        hidden = f"name = bytes({list(str(inside).encode())}).decode()\n"
        process = living(f"{hidden}file = open(name)\n{WORK}")
    else:
        process = living(WORK, f"--root={inside}")
    with process as pid:
        assert sweep(root) == {"one": f"process {pid} uses it"}
    assert folder.exists()
    assert sweep(root) == {"one": ""}
    assert not folder.exists()


def test_clones_in_the_folder_for_temporary_files_go(root: Path, tmp_path: Path) -> None:
    for name in ("cxrepro-verify-1", "cxrepro-audit-2", "cxrepro-audit-3", "another"):
        (tmp_path / "tmp" / name / "clone").mkdir(parents=True)
        age(tmp_path / "tmp" / name)
    (tmp_path / "tmp/cxrepro-audit-3/clone/new").write_text("")
    assert sweep(root) == {"cxrepro-verify-1": "", "cxrepro-audit-2": ""}
    assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == [
        "another",
        "cxrepro-audit-3",
    ]


def test_work_in_progress_goes_piece_by_piece_and_never_beside_a_stage(root: Path) -> None:
    for name in ("search/aa/1.json", "search/bb/1.json", "features/cc.safetensors"):
        path = root / leftovers.SCRATCH / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    age(root / leftovers.SCRATCH)
    (root / leftovers.SCRATCH / "search/bb/2.json").write_text("{}")
    (root / ".dvc/tmp").mkdir(parents=True)
    with living(WORK) as pid:
        entry = {"pid": pid, "cmd": "dvc repro"}
        (root / ".dvc/tmp/rwlock").write_text(json.dumps({"read": {"x": [entry]}}))
        why = f"`dvc repro` (process {pid}) is at work"
        assert sweep(root) == {"aa": why, "cc.safetensors": why}
    assert sweep(root) == {"aa": "", "cc.safetensors": ""}
    assert [path.name for path in (root / leftovers.SCRATCH).iterdir()] == ["search"]
    assert [path.name for path in (root / leftovers.SCRATCH / "search").iterdir()] == ["bb"]


def test_half_written_files_go(root: Path) -> None:
    for name in ("data/models/.a.7.partial", "data/models/a", "reports/.b.7.partial/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
        age(root / name)
    (root / "data/models/.c.8.partial").write_text("at work")
    age(root / "reports/.b.7.partial")
    assert sweep(root) == {".a.7.partial": "", ".b.7.partial": ""}
    left = {path.name for path in root.rglob("*") if ".git" not in path.parts}
    assert left == {
        "code.py",
        ".gitignore",
        "data",
        "models",
        "a",
        ".c.8.partial",
        "reports",
    }


def test_only_bytes_without_another_name_are_counted(root: Path, tmp_path: Path) -> None:
    folder = root / ".worktrees/half made"
    folder.mkdir(parents=True)
    (folder / "own").write_bytes(b"x" * 1000)
    (tmp_path / "cached").write_bytes(b"x" * 5000)
    (folder / "linked").hardlink_to(tmp_path / "cached")
    age(folder)
    (left,) = leftovers.sweep(time.time() - DAY_S, dry=False, root=root)
    assert (left.kind, left.size, left.why_not) == ("worktree", 1000, "")
    assert (tmp_path / "cached").stat().st_size == 5000
