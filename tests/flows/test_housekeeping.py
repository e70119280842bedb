"""Housekeeping says what each thing freed, goes on after a held lock, and makes the server forget."""

from __future__ import annotations

import datetime
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flows import pipeline
from tests.flows import toy
from tests.flows.test_cache import HOLD
from tests.flows.test_leftovers import age

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def module():
    """Import the flow; Prefect's own imports warn of what will go in later versions."""
    from flows import housekeeping

    return housekeeping


def test_leftovers_are_told_with_their_bytes_or_why_they_stay(tmp_path: Path):
    toy.git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "code.py").write_text("pass\n")
    toy.commit(tmp_path)
    for name in ("old", "mine"):
        toy.git(tmp_path, "worktree", "add", "-q", "-b", name, f".worktrees/{name}")
        (tmp_path / ".worktrees" / name / "weights").write_bytes(b"x" * 2_000_000)
        age(tmp_path / ".worktrees" / name)
    toy.git(tmp_path / ".worktrees/old", "checkout", "-q", "--detach")
    age(tmp_path / ".worktrees/old")
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    rows = module().old_leftovers(before, False, root=tmp_path)
    assert [row["which"] for row in rows] == [
        str(tmp_path / ".worktrees/mine"), str(tmp_path / ".worktrees/old"),
    ]  # fmt: skip
    mine, old = map(module().words, rows)
    assert mine.endswith("mine (0.0 MB), stays: it is on branch mine")
    assert old.endswith("old (2.0 MB)")
    assert module().total(rows) == pytest.approx(2.0)
    assert module().table(rows).splitlines()[0] == "| what | which | freed_mb | note |"


@pytest.mark.slow
def test_the_cache_loses_what_nothing_names(repository: Path):
    (repository / "data/raw").mkdir(parents=True, exist_ok=True)
    (repository / "data/raw/x").write_bytes(b"x" * 1_000_000)
    pipeline.add("data/raw/x", repository)
    for name in ("x", "x.dvc"):
        os.unlink(repository / "data/raw" / name)
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    (row,) = module().unnamed_data(later, False, root=repository)
    assert module().words(row) == "cache: 1 objects that nothing names (1.0 MB)"
    assert pipeline.status(repository) == {}
    said = toy.python(repository, "-m", "dvc", "checkout", "--force")
    assert said.returncode == 0, said.stderr


@pytest.mark.slow
def test_the_flow_forgets_old_runs_and_removes_nothing_on_a_dry_run(
    repository: Path, tmp_path: Path
):
    old = repository / ".worktrees/reproduce-1"
    toy.git(repository, "worktree", "add", "-q", "--detach", str(old))
    age(old)
    (tmp_path / "tmp").mkdir()
    places = {"PREFECT_HOME": str(tmp_path / "prefect"), "TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(repository)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as holder:  # fmt: skip
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        said = toy.python(repository, "-m", "flows.housekeeping", "--dry-run", **places)
        holder.kill()
    assert said.returncode == 0, said.stderr[-3000:]
    lines = said.stdout.splitlines()
    assert lines[0].startswith("worktree: .worktrees/reproduce-1 (0.") and old.exists()
    assert lines[1].startswith("cache: everything (0.0 MB), stays: another DVC works in ")
    assert lines[2] == "server: 0 finished runs"
    assert lines[3].startswith("would free 0.")

    with sqlite3.connect(tmp_path / "prefect/prefect.db") as database:
        database.execute("update flow_run set end_time = '2020-01-01 00:00:00.000000'")
    database.close()
    said = toy.python(repository, "-m", "flows.housekeeping", **places)
    assert said.returncode == 0, said.stderr[-3000:]
    assert "server: 1 finished runs" in said.stdout
    assert "cache: 0 objects that nothing names (0.0 MB)" in said.stdout
    assert "worktree: .worktrees/reproduce-1 (0." in said.stdout and not old.exists()
    with sqlite3.connect(tmp_path / "prefect/prefect.db") as database:
        runs = database.execute("select count(*) from flow_run where name is not null").fetchone()
        artifacts = database.execute("select count(*) from artifact").fetchone()
    database.close()
    assert (runs, artifacts) == ((1,), (1,))  # the second run itself
