"""The cache keeps what any ref, checkout or record names, and loses the rest, never beside a run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import cache, pipeline
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RECORD_LOCK = """\
schema: '2.0'
stages:
  fit:
    cmd: python -m stages.fit
    outs:
    - path: data/models/a
      hash: md5
      md5: {md5}
      size: 3
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository that has never run."""
    root = toy.make(tmp_path / "with a space")
    toy.commit(root)
    return root


def keep(root: Path, name: str, *, folder: bool = False) -> str:
    """Give DVC's cache a file, or a folder of two, that holds its name; return the pointer's text."""
    path = root / "data/raw" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir()
        (path / "one").write_text(f"one of {name}")
        (path / "two").write_text(f"two of {name}")
    else:
        path.write_text(f"bytes of {name}")
    pipeline.add(f"data/raw/{name}", root)
    pointer = path.with_name(f"{name}.dvc")
    text = pointer.read_text()
    pointer.unlink()
    shutil.rmtree(path) if folder else path.unlink()
    return text


def md5(pointer: str) -> str:
    return pointer.split("md5: ")[1].split()[0]


def at_hand(root: Path) -> set[str]:
    """Return what the files of the cache hold, listings of folders aside."""
    files = [path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file()]
    return {path.read_text() for path in files if path.suffix != ".dir"}


def point(root: Path, name: str, text: str) -> None:
    (root / "data/raw").mkdir(parents=True, exist_ok=True)
    (root / "data/raw" / f"{name}.dvc").write_text(text)


def collect(root: Path, *, dry: bool) -> cache.Collected:
    return cache.collect(root, before=time.time() + 60, dry=dry)


def record(root: Path, study: str, text: str, commit: str) -> None:
    folder = root / "studies" / study / "record"
    folder.mkdir(parents=True)
    (folder / "dvc.lock").write_text(RECORD_LOCK.format(md5=md5(text)))
    (folder / "record.json").write_text(json.dumps({"commit": commit, "study": study}))


def test_what_a_ref_or_a_checkout_names_stays_and_the_rest_goes(root: Path) -> None:
    names = ("branch", "tag", "remote", "worktree", "lying", "stashed", "nobody")
    pointers = {name: keep(root, name) for name in names}
    base = toy.git(root, "rev-parse", "HEAD").strip()
    for name in ("branch", "tag", "remote", "worktree"):
        point(root, name, pointers[name])
        commit = toy.commit(root, name)
        toy.git(root, "reset", "-q", "--hard", base)
        if name == "branch":
            toy.git(root, "branch", "other", commit)
        elif name == "tag":
            toy.git(root, "tag", "-a", "-m", "x", "toy@v1.0.0", commit)
        elif name == "remote":
            toy.git(root, "update-ref", "refs/remotes/origin/main", commit)
        else:
            toy.git(root, "worktree", "add", "-q", "--detach", ".worktrees/one", commit)
    point(root, "stashed", pointers["stashed"])
    toy.git(root, "add", "-A")
    toy.git(root, "stash", "-q")
    point(root / ".worktrees/one", "lying", pointers["lying"])

    found = collect(root, dry=True)
    assert found == cache.Collected(objects=1, size=len("bytes of nobody"))
    assert "bytes of nobody" in at_hand(root)
    assert collect(root, dry=False) == found
    assert at_hand(root) == {f"bytes of {name}" for name in names if name != "nobody"}
    assert collect(root, dry=False) == cache.Collected(objects=0, size=0)


def test_a_record_keeps_its_data_where_dvc_alone_would_drop_them(root: Path) -> None:
    raw, recorded = keep(root, "raw", folder=True), keep(root, "recorded")
    base = toy.git(root, "rev-parse", "HEAD").strip()
    point(root, "raw", raw)
    code = toy.commit(root, "the code of the record, later on no branch")
    toy.git(root, "reset", "-q", "--hard", base)
    record(root, "toy", recorded, code)
    toy.commit(root, "the record")
    assert collect(root, dry=False).objects == 0
    assert at_hand(root) == {"one of raw", "two of raw", "bytes of recorded"}

    flags = ("--workspace", "--all-branches", "--all-tags", "--all-commits", "--force")
    said = toy.python(root, "-m", "dvc", "gc", *flags)
    assert said.returncode == 0, said.stderr
    assert at_hand(root) == set()


def test_raw_data_of_an_earlier_commit_stay(root: Path) -> None:
    point(root, "first", keep(root, "first"))
    toy.commit(root, "data as they were")
    point(root, "first", keep(root, "second"))
    toy.commit(root, "other data under the same name")
    assert collect(root, dry=False).objects == 0
    assert at_hand(root) == {"bytes of first", "bytes of second"}


def test_what_came_lately_stays_whole(root: Path) -> None:
    keep(root, "young", folder=True)
    assert cache.collect(root, before=time.time() - 60, dry=False).objects == 0
    assert at_hand(root) == {"one of young", "two of young"}


def test_the_files_of_a_named_folder_stay(root: Path) -> None:
    point(root, "named", keep(root, "named", folder=True))
    keep(root, "unnamed", folder=True)
    assert collect(root, dry=False).objects == 3
    assert at_hand(root) == {"one of named", "two of named"}


def test_bytes_that_a_checkout_links_to_are_not_counted(root: Path) -> None:
    text = keep(root, "linked")
    cached = root / ".dvc/cache/files/md5" / md5(text)[:2] / md5(text)[2:]
    (root / "mine").hardlink_to(cached)
    assert collect(root, dry=False) == cache.Collected(objects=1, size=0)
    assert (root / "mine").read_text() == "bytes of linked" and not cached.exists()


HOLD = """\
import sys
from dvc.repo import Repo, lock_repo
with lock_repo(Repo(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("where", [".", ".worktrees/one"])
def test_nothing_goes_while_another_run_holds_the_lock_of_a_checkout(
    root: Path, where: str
) -> None:
    keep(root, "nobody")
    toy.git(root, "worktree", "add", "-q", "--detach", ".worktrees/one")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root / where)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(pipeline.Locked, match=r"another DVC works in .*with a space"):
            collect(root, dry=False)
        holder.kill()
    assert at_hand(root) == {"bytes of nobody"}
    assert collect(root, dry=False).objects == 1


def test_nothing_goes_while_a_stage_runs(root: Path) -> None:
    keep(root, "nobody")
    (root / ".dvc/tmp").mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stage:
        entry = {"pid": stage.pid, "cmd": "dvc repro -s fit"}
        (root / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {"data/x": entry}}))
        words = rf"`dvc repro -s fit` \(process {stage.pid}\) is at work in "
        with pytest.raises(pipeline.Locked, match=words):
            collect(root, dry=False)
        stage.kill()
    kept = (root / ".dvc/tmp/rwlock").read_text()
    (root / ".dvc/tmp/rwlock").write_text("")  # as DVC leaves it for a moment
    with pytest.raises(pipeline.Locked, match=r"DVC, which just writes .*rwlock, is at work"):
        collect(root, dry=False)
    (root / ".dvc/tmp/rwlock").write_text(kept)
    assert collect(root, dry=False).objects == 1  # what a killed run left holds nobody


def test_a_cache_that_others_may_use_is_refused(root: Path, tmp_path: Path) -> None:
    (root / ".dvc/config.local").write_text(f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    keep(root, "nobody")
    with pytest.raises(ValueError, match="lies outside this repository: others may use it"):
        collect(root, dry=False)


def test_raw_data_come_out_of_the_cache_without_any_remote(root: Path, tmp_path: Path) -> None:
    point(root, "demo", keep(root, "demo"))
    toy.commit(root)
    clone = tmp_path / "clone"
    toy.git(root, "clone", "-q", str(root), str(clone))
    assert cache.bring([clone / "data/raw/demo.dvc"], clone, of=root) == ""
    assert (clone / "data/raw/demo").read_text() == "bytes of demo"


def test_raw_data_come_out_of_the_cache_and_off_the_remote(root: Path, tmp_path: Path) -> None:
    (root / ".dvc/config.local").write_text(
        f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n"
    )
    point(root, "demo", keep(root, "demo"))
    said = toy.python(root, "-m", "dvc", "push", "data/raw/demo.dvc")
    assert said.returncode == 0, said.stderr
    toy.commit(root)
    clone = tmp_path / "clone"
    toy.git(root, "clone", "-q", str(root), str(clone))
    (clone / ".dvc/config.local").write_text("[cache]\n    dir = cache\n")
    pointer, file = clone / "data/raw/demo.dvc", clone / "data/raw/demo"

    assert cache.bring([pointer], clone, of=root) == ""
    assert file.read_text() == "bytes of demo"
    file.unlink()
    shutil.rmtree(root / ".dvc/cache")
    assert cache.bring([pointer], clone, of=root) == ""
    assert file.read_text() == "bytes of demo" and at_hand(root) == {"bytes of demo"}
    file.unlink()
    shutil.rmtree(root / ".dvc/cache")
    shutil.rmtree(tmp_path / "store")
    assert "data/raw/demo" in cache.bring([pointer], clone, of=root)
    assert not (clone / ".dvc/cache").exists()
