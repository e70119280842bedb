"""Folder, S3 and SSH remotes: what one clone pushes another pulls by tag, and no tag is without its data."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import pipeline
from tests.flows import deployed, remotes, toy

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PROMOTE = """\
import pathlib, sys
from flows import command, promotion
with command.telling(interrupted=command.NOTHING_HALF):
    promotion.promote(pathlib.Path(sys.argv[1]), name="hospital", branch="main", message="better")
"""
TAGS = ["hospital#prod#1", "hospital@v1.0.0"]
KINDS = ("folder", "s3", "ssh")
_FILES, _BYTES = 200, 200_000  # enough that a push takes a while


@pytest.fixture
def clone(clone: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    return clone


@pytest.fixture
def remote(
    request: pytest.FixtureRequest, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[remotes.Folder]:
    """Yield a remote of the kind that the test names, listening."""
    if request.param == "ssh":
        remotes.need_sshd()
    kind = {"folder": remotes.Folder, "s3": remotes.S3, "ssh": remotes.SSH}[request.param]
    found = kind(clone.parent)
    for key, value in found.environment.items():
        monkeypatch.setenv(key, value)
    if isinstance(found, remotes.Server):
        found.start()
    yield found
    if isinstance(found, remotes.Server) and found.process is not None:
        found.kill()


def worktree(clone: Path, remote: remotes.Folder) -> Path:
    """Return a worktree with a newer state staged and raw data of many files, that knows the remote."""
    folder = deployed.worktree(clone)
    for path in (clone, folder):
        with (path / ".dvc/config.local").open("a") as file:
            file.write(remote.config())
    # `?*`: DVC takes `/data/*` for the folder itself and overlooks the pointers in it
    ignored = "/data/?*\n!/data/raw/\n/data/raw/?*\n!/data/raw/*.dvc\n/.worktrees/\n"
    (folder / ".gitignore").write_text(ignored)
    raw = folder / "data/raw/table"
    raw.mkdir(parents=True)
    for number in range(_FILES):
        (raw / f"{number}.bin").write_bytes(number.to_bytes(4, "big") * (_BYTES // 4))
    pipeline.add("data/raw/table", folder)
    deployed.git(folder, "add", "-A")
    said = toy.python(folder, "-m", "dvc", "checkout")
    assert said.returncode == 0, said.stderr
    return folder


def promote(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROMOTE, str(folder)]
    return subprocess.Popen(command, cwd=toy.ROOT, text=True, stderr=subprocess.PIPE)


def ends(program: subprocess.Popen[str], code: int) -> str:
    _, said = program.communicate()
    assert program.returncode == code, said
    return said


def content(root: Path) -> dict[str, bytes]:
    """Return {path: bytes} of all data of a checkout."""
    paths = sorted(path for path in (root / "data").rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def other(clone: Path, remote: remotes.Folder, tag: str) -> Path:
    """Return somebody else's clone of the git remote, at a tag, that knows the DVC remote."""
    folder = clone.parent / "another clone"
    toy.git(clone.parent, "clone", "-q", "origin.git", str(folder))
    toy.git(folder, "checkout", "-q", "--detach", tag)
    (folder / ".dvc/config.local").write_text(remote.config())
    return folder


@pytest.mark.parametrize("remote", KINDS, indirect=True)
def test_another_clone_pulls_a_tag_with_the_run_cache_byte_by_byte(
    clone: Path, remote: remotes.Folder
) -> None:
    folder = worktree(clone, remote)
    ends(promote(folder), 0)
    assert deployed.tags(clone) == TAGS
    remote.download()
    deployed.check_tags_have_data(clone)
    here = other(clone, remote, TAGS[1])
    said = toy.python(here, "-m", "flows.pull", PYTHONPATH=str(toy.ROOT))
    assert said.returncode == 0, said.stderr
    wanted, found = content(folder), content(here)
    assert len(found) == _FILES + 4 and found == wanted
    # the run cache came along: the stages are not run again though nothing says they ran
    (here / "dvc.lock").unlink()
    for path in (here / "data/models", here / "data/exported"):
        path.rename(here / f"{path.name} before")
    said = toy.python(here, "-m", "dvc", "repro")
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("is cached - skipping run") == 2 and "Running stage" not in said.stdout
    assert toy.git(here, "diff", "--stat", "--", "dvc.lock") == ""


@pytest.mark.parametrize("remote", KINDS[1:], indirect=True)
def test_a_server_that_dies_while_it_is_pushed_to_leaves_no_tag_and_a_retry_completes(
    clone: Path, remote: remotes.Server
) -> None:
    folder = worktree(clone, remote)
    before = deployed.refs(clone)
    program = promote(folder)
    while remote.objects() < 3:
        assert program.poll() is None, program.communicate()
        time.sleep(0.005)
    remote.kill()
    said = ends(program, 1)
    assert said.splitlines()[-1].startswith("error: "), said
    assert "dvc push" in said or "can't be read" in said, said
    assert "Traceback" not in said
    assert deployed.refs(clone) == before and deployed.tags(clone) == []
    still = ends(promote(folder), 1)  # nobody listens
    assert still.splitlines()[-1].startswith("error: ") and deployed.refs(clone) == before
    remote.start()
    ends(promote(folder), 0)
    assert deployed.tags(clone) == TAGS
    remote.download()
    deployed.check_tags_have_data(clone)
    here = other(clone, remote, TAGS[1])
    said = toy.python(here, "-m", "flows.pull", PYTHONPATH=str(toy.ROOT)).stdout
    assert "outputs" in said and content(here) == content(folder)
