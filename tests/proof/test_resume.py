"""A search and a pruning that are killed again and again end with the bytes of an undisturbed run.

`kill -9` to the whole process group, at moments drawn over the length of an undisturbed run, so
that imports, evaluations, the last trainings and the writing of the outputs are all hit; every third
time not before a file is half written. What a killed run finished is never written again. And a
search on a Dask cluster that loses a worker ends with the same bytes. About fifteen minutes on two
cores.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cxr import seeding
from tests.cluster import running
from tests.proof import clones

pytestmark = pytest.mark.slow

KILLS = 30
SCRATCH = Path("data/.scratch")
OUTPUTS = {
    "search": ("data/searched/{run}", "reports/search/{run}"),
    "prune": ("data/pruned/{run}", "reports/prune/{run}"),
}


def start(root: Path, stage: str, run: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a stage in a session of its own, as DVC would, its words in a file beside the clone."""
    (root.parent / "joblib").mkdir(exist_ok=True)
    environment = {
        **clones.environment(root),
        "JOBLIB_TEMP_FOLDER": str(root.parent / "joblib"),  # what a killed run leaves goes with it
        **more,
    }
    with (root.parent / "said.txt").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", f"stages.{stage}", run],
            cwd=root,
            env=environment,
            start_new_session=True,
            stdout=said,
            stderr=said,
        )


class Records:
    """The finished pieces in the scratch folder: each is written once and stays until the end."""

    def __init__(self, root: Path) -> None:
        self.root = root / SCRATCH
        self.seen: dict[Path, tuple[int, int]] = {}

    def look(self) -> None:
        """Note new files, and insist that those known are still the same ones."""
        try:
            paths = [path for path in self.root.rglob("*") if not path.name.endswith(".partial")]
        except FileNotFoundError:  # the folder goes while we look: the stage is done
            return
        for path in paths:
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                mark = (found.st_ino, found.st_mtime_ns)
                assert self.seen.setdefault(path, mark) == mark, f"{path} was written twice"

    def all_there(self) -> bool:
        """Look again, and tell whether everything that was finished is still there."""
        self.look()
        return all(path.exists() for path in self.seen)


def ended(
    process: subprocess.Popen[bytes], records: Records, *, seconds: float, writing: bool = False
) -> bool:
    """Watch a run; kill all of it after `seconds` unless it ended well before. Tell whether it did.

    With `writing` it lives on until a file is half written.
    """
    deadline = time.monotonic() + seconds
    try:
        while process.poll() is None and time.monotonic() < deadline:
            records.look()
            time.sleep(0.02)
        while writing and process.poll() is None and not half_written(records.root):
            pass
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == 0


def half_written(scratch: Path) -> list[Path]:
    """Return the files of the scratch folder that a writer has begun and not yet published."""
    with contextlib.suppress(FileNotFoundError):  # a folder goes while we look
        return list(scratch.rglob("*.partial"))
    return []


def contents(root: Path, stage: str, run: str) -> dict[str, str]:
    """Return {path: sha256} of the stage's outputs; what a killed writer left half done is no output."""
    files = [
        path
        for output in OUTPUTS[stage]
        for path in sorted((root / output.format(run=run)).rglob("*"))
        if path.is_file() and not path.name.endswith(".partial")
    ]
    assert files, f"{stage}@{run} wrote nothing"
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def forget(root: Path, stage: str, run: str) -> None:
    """Remove the stage's outputs and records, so that what comes next is all made by the next run."""
    for folder in (*(output.format(run=run) for output in OUTPUTS[stage]), f"{SCRATCH}/{stage}"):
        shutil.rmtree(root / folder, ignore_errors=True)


def left_over(root: Path, stage: str) -> list[Path]:
    """Return what a stage that is done should not have left: all but a search's records, which stay.

    And with them what a kill left half written beside them: another run may be writing there, so
    only `make clean` removes it.
    """
    found = sorted((root / SCRATCH / stage).rglob("*"))
    stays = (".json", ".partial") if stage == "search" else ()
    return [x for x in found if x.is_file() and x.suffix not in stays]


def said(root: Path) -> str:
    return (root.parent / "said.txt").read_text(errors="replace")[-3000:]


@pytest.mark.parametrize("stage", ["search", "prune"])
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(small, stage):
    run = clones.parameters(small)[stage]["runs"][0]
    forget(small, stage, run)
    begin = time.monotonic()
    assert ended(start(small, stage, run), Records(small), seconds=600), said(small)
    seconds, wanted = time.monotonic() - begin, contents(small, stage, run)
    assert not left_over(small, stage)
    forget(small, stage, run)
    rng = seeding.stream(20, "proof", "resume", stage)
    records, kept = Records(small), []
    while len(kept) < KILLS:
        process = start(small, stage, run)
        writing = len(kept) % 3 == 2
        done = ended(process, records, seconds=rng.uniform(0, seconds), writing=writing)
        if not done:
            assert process.returncode == -signal.SIGKILL, said(small)
            kept.append(len(records.seen))
        if done or not records.all_there():
            # so much was on record that it came to its end before the moment, or at least to the
            # removal of its scratch folder, which is the last it does: begin another life
            assert contents(small, stage, run) == wanted
            records = Records(small)
            forget(small, stage, run)
    print(f"{stage}@{run}: {seconds:.1f} s undisturbed; records after each kill: {kept}")
    assert len(set(kept)) > 3, f"the kills hit the same few places: {kept}"
    assert ended(start(small, stage, run), records, seconds=600), said(small)
    assert contents(small, stage, run) == wanted
    assert not left_over(small, stage)


def test_a_search_whose_dask_worker_is_killed_ends_with_the_same_bytes(small, tmp_path):
    run = clones.parameters(small)["search"]["runs"][0]
    forget(small, "search", run)
    assert ended(start(small, "search", run), Records(small), seconds=600), said(small)
    wanted = contents(small, "search", run)
    forget(small, "search", run)
    with running.cluster(tmp_path, clones.environment(small)) as dask:
        one, _ = (dask.work(1, cwd=small) for _ in range(2))
        process = start(small, "search", run, CXR_CLUSTER=dask.address)
        records = Records(small)
        while len(records.seen) < 4 and process.poll() is None:
            records.look()
            time.sleep(0.02)
        one.kill()
        assert process.poll() is None, said(small)
        assert ended(process, records, seconds=600), said(small)
    assert contents(small, "search", run) == wanted
