"""What is finished is a commit on a ref: equal results are equal commits, and nothing of a dead run is in the way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows import cache, checkouts, pipeline, sweep_kept
from flows.request import Wanted
from flows.sweep_file import Combination
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ONE = Combination(name="0" * 12, wanted=Wanted(study="toy", overrides={"seed": 8}), labels={})


def kept(root: Path, md5: str, name: str = "toy") -> str:
    """Keep a combination whose lock file names other data than HEAD's."""
    folder = checkouts.add("sweep.toy.one", "HEAD", root=root)
    lock = (folder / "dvc.lock").read_text()
    real = pipeline.read_lock(folder)["source"]["outs"][0]["md5"]
    (folder / "dvc.lock").write_text(lock.replace(real, md5))
    commit = sweep_kept.keep(name, ONE, folder)
    checkouts.remove(folder, root=root)
    return commit


def test_equal_results_are_equal_commits_and_their_data_are_named(repository: Path) -> None:
    md5 = f"{'a' * 32}.dir"
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    first = kept(repository, md5)
    assert kept(repository, md5) == first != kept(repository, f"{'b' * 32}.dir", "other")
    assert sweep_kept.finished("toy", repository) == {ONE.name: (first, head)}
    assert sweep_kept.finished("to", repository) == {}
    assert md5 in cache.named(repository)  # so that housekeeping keeps them
    said = toy.git(repository, "log", "-1", "--format=%an|%at|%s|%b", first)
    date = toy.git(repository, "log", "-1", "--format=%ct").strip()
    assert said.startswith(f"cxrepro|{date}|Sweep toy: {ONE.name}|")
    assert json.loads(said.split("|", 3)[3]) == {"sweep": "toy", "study": "toy", "set": {"seed": 8}}
    found = sweep_kept.evaluations(first, repository)
    assert list(found) == ["left", "right"] and found["left"]["accuracy"]["value"] == 0.4
    assert toy.git(repository, "status", "--porcelain") == ""


def test_what_a_dead_run_left_is_removed_and_what_is_others_stays(repository: Path) -> None:
    checkouts.add("sweep.toy.half", "HEAD", root=repository)
    checkouts.add("sweep.toy-2.whole", "HEAD", root=repository)
    (repository / ".worktrees/sweep.toy.begun").mkdir()
    lock = repository / ".git/refs/sweeps/toy" / f"{ONE.name}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with sweep_kept.alone("toy", repository):
        assert not lock.exists()
        folders = [path.name for path in (repository / ".worktrees").iterdir() if path.is_dir()]
        assert folders == ["sweep.toy-2.whole"]
        with pytest.raises(pipeline.Locked, match="sweep toy is at work already"), sweep_kept.alone("toy", repository):  # fmt: skip
            raise AssertionError
        with sweep_kept.alone("toy-2", repository):
            pass
    kept(repository, "c" * 32)


def test_what_still_works_in_a_dead_worktree_is_waited_for(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    folder = checkouts.add("sweep.toy.half", "HEAD", root=repository)
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], cwd=folder
    ) as busy:
        monkeypatch.setattr(sweep_kept, "_ENDING_S", 1)
        with pytest.raises(pipeline.Locked, match=r"left something at work .*process"), sweep_kept.alone("toy", repository):  # fmt: skip
            raise AssertionError
        assert folder.exists()
        busy.kill()
    with sweep_kept.alone("toy", repository):
        assert not folder.exists()
