"""Lists of folders and entries of the run cache that lead out are refused before DVC sees them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows import guard, guard_data, pipeline, store
from tests.flows import evil, toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def clone(clone: Path) -> Path:
    evil.outside(clone)
    return clone


@contextlib.contextmanager
def opened(clone: Path) -> Iterator[Any]:
    from dvc.repo import Repo

    with contextlib.closing(Repo(str(clone))) as repo:
        yield repo


def place(clone: Path, md5: str) -> Path:
    return clone / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def check(clone: Path) -> None:
    with opened(clone) as repo:
        guard_data.check(repo, guard_data.of_pointers(repo, [clone / "data/raw/x.dvc"]))


@pytest.mark.parametrize("name", evil.LISTS)
@pytest.mark.parametrize("side", ["remote", "cache"])
def test_an_evil_list_is_refused_wherever_it_lies(clone: Path, name: str, side: str) -> None:
    content, fault = evil.LISTS[name]
    md5 = evil.listed(clone, content)
    if side == "cache":
        text = (clone.parent / "storage/files/md5" / md5[:2] / md5[2:]).read_bytes()
        place(clone, md5).parent.mkdir(parents=True, exist_ok=True)
        place(clone, md5).write_bytes(text)
    with pytest.raises(guard.Refused) as error:
        check(clone)
    assert fault in str(error.value) and "data/raw/x" in str(error.value)
    assert place(clone, md5).exists() == (side == "cache") and evil.untouched(clone)


def test_without_the_guard_dvc_writes_outside(clone: Path) -> None:
    """The reason why there is a guard; should DVC once refuse this, the guard may shrink."""
    evil.listed(clone, evil.LISTS["a file out"][0])
    toy.python(clone, "-m", "dvc", "pull", "data/raw/x.dvc")
    assert (clone.parent / "outside/x").read_text() == "evil"


def test_a_list_that_was_looked_at_is_what_dvc_uses(clone: Path) -> None:
    honest = [{"md5": evil.MD5, "relpath": "a/b"}]
    md5 = evil.listed(clone, honest)
    check(clone)
    evil.store(clone, md5, b"exchanged meanwhile")
    assert place(clone, md5).read_bytes().startswith(b"[{")
    with pytest.raises(guard.Refused, match="its list is not what its hash"):
        place(clone, md5).unlink()
        check(clone)


def test_a_remote_of_pipes_and_links_is_refused_and_nobody_waits(clone: Path) -> None:
    md5 = evil.listed(clone, [{"md5": evil.MD5, "relpath": "a"}])
    path = clone.parent / "storage/files/md5" / evil.MD5[:2] / evil.MD5[2:]
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(guard.Refused, match="is no plain file"):
        check(clone)
    path = clone.parent / "storage/files/md5" / md5[:2] / md5[2:]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(guard.Refused, match="is no plain file"):
        check(clone)


def test_a_stage_that_writes_outside_is_refused(clone: Path) -> None:
    """DVC takes such an output: it has caches outside the tree."""
    text = (
        (clone / "dvc.yaml").read_text().replace("outs: [data/models/right]", "outs: ['${place}']")
    )
    (clone / "dvc.yaml").write_text(text)
    (clone / "params.yaml").write_text((clone / "params.yaml").read_text() + "place: ../outside/x\n")  # fmt: skip
    with pytest.raises((guard.Refused, pipeline.Failed), match=r"leads out of the tree|outside"), opened(clone) as repo:  # fmt: skip
        guard_data.check(repo, guard_data.outputs(repo))


def test_an_output_behind_a_link_is_refused(clone: Path) -> None:
    (clone / "data/exported").rename(clone / "data/elsewhere")
    (clone / "data/exported").symlink_to("../../outside")
    with opened(clone) as repo, pytest.raises(guard.Refused, match="behind a link out of the tree"):
        guard_data.check(repo, guard_data.outputs(repo))


def test_honest_data_pass(clone: Path) -> None:
    store.push(clone)
    with opened(clone) as repo:
        guard_data.check(repo, guard_data.outputs(repo))
        assert guard_data.bring_runs(repo) == 0


@pytest.mark.parametrize("name", evil.RUNS)
def test_an_evil_run_cache_is_refused_and_nothing_of_it_brought(clone: Path, name: str) -> None:
    store.push(clone)
    entry, content, fault = evil.RUNS[name]
    path = clone.parent / "storage/runs" / entry
    path.parent.mkdir(parents=True)
    path.write_text(content)
    runs = clone / ".dvc/cache/runs"
    lost = next(path for path in sorted(runs.rglob("*")) if path.is_file())
    lost.unlink()
    with opened(clone) as repo, pytest.raises(guard.Refused, match="the run cache of") as error:
        guard_data.bring_runs(repo)
    assert fault in str(error.value)
    assert not (runs / entry).exists() and not lost.exists()
    path.unlink()
    with opened(clone) as repo:
        assert guard_data.bring_runs(repo) == 1
    assert lost.is_file()
