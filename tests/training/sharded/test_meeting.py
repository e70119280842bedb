"""Meetings: workers come up, are looked at, and when one is lost the others know, name it and end."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr import numerics
from cxr.cluster import fit
from cxr.training import folds
from cxr.training.sharded import meeting
from cxr.training.sharded.meeting import Meeting, Plan
from cxr.training.sharded.team import Lost
from tests import children
from tests.conftest import ROOT
from tests.training.sharded.project import everything, work

numerics.exact_torch()
SECRET = b"a secret of the tests"


def plan(**changes: object) -> Plan:
    return dataclasses.replace(Plan("127.0.0.1", 0, SECRET, 1, 0), **changes)  # type: ignore[arg-type]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> folds.Task:
    """A task that takes far longer than any test."""
    monkeypatch.chdir(tmp_path)
    return work(tmp_path, everything(epochs=500))[0]


@pytest.fixture(autouse=True)
def nobody_left() -> Iterator[None]:
    """Every test ends without a process that it started."""
    yield
    assert children.running("cxr.training.sharded") == []


@pytest.mark.slow
def test_a_killed_worker_is_named_and_the_others_end(task: folds.Task) -> None:
    with Meeting(plan(here=2), words="toy") as met:
        met.give(task)
        killed, other = met._started
        killed.send_signal(signal.SIGKILL)
        with pytest.raises(Lost, match="another process is gone"):
            folds.fit(task, met.team)
        said = met.who_is_lost()
    host = socket.gethostname()
    assert said in [
        f"worker {rank} (process {killed.pid} on {host}) was killed by SIGKILL (out of memory?)"
        for rank in (1, 2)
    ]
    assert other.returncode is not None


@pytest.mark.slow
def test_a_worker_that_hangs_is_named(task: folds.Task) -> None:
    with Meeting(plan(), words="toy", wait_s=8) as met:
        met.give(task)
        met._started[0].send_signal(signal.SIGSTOP)
        with pytest.raises(Lost):
            folds.fit(task, met.team)
        assert met.who_is_lost().endswith("kept the others waiting for 8 s")


@pytest.mark.slow
def test_a_worker_with_other_work_is_refused_by_all(task: folds.Task) -> None:
    with Meeting(plan(), words="toy") as met:
        met.give(dataclasses.replace(task, seed=8))
        with pytest.raises(ValueError, match="process 1 of 2 begins with another network"):
            folds.fit(task, met.team)
        assert "says: process 1 of 2 begins with another network" in met.who_is_lost()


@pytest.mark.slow
def test_strangers_are_turned_away_and_the_right_worker_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "cxr.training.sharded", f"tcp://127.0.0.1:{port}", "--secret-file", "-"]  # fmt: skip
    started = [
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]  # fmt: skip
    said: list[str] = []

    def join() -> None:
        """One after the other: who comes when the place is taken finds nobody that asks for a secret."""
        for process, secret in zip(started, (b"another secret, wrong", SECRET), strict=True):
            said.append(process.communicate(secret)[1].decode())

    joining = threading.Thread(target=join)
    joining.start()
    with Meeting(plan(port=port, here=0, elsewhere=1), words="toy") as met:
        assert met.team.size == 2
    joining.join()
    wrong, right = said
    assert [process.returncode for process in started] == [1, 0]
    assert "worker: error: no training takes up this worker" in wrong and "another secret" in wrong
    assert f"joined 127.0.0.1:{port} as worker 1 of 1" in right
    told = capfd.readouterr().err
    assert f"1 worker(s) may join: python -m cxr.training.sharded tcp://127.0.0.1:{port}" in told


def test_a_worker_that_does_not_start_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXR_PINNED", "1")
    monkeypatch.setenv("TZ", "CET")
    told = r"toy: a worker did not start: RuntimeError: this process lacks the exact profile \(TZ\)"
    with pytest.raises(ValueError, match=told), Meeting(plan(), words="toy"):
        pass


def test_too_few_workers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "JOIN_S", 1)
    told = r"toy: 0 of 1 workers joined within 1 s: start the others with `python -m"
    with pytest.raises(ValueError, match=told), Meeting(plan(here=0, elsewhere=1), words="toy"):
        pass


def test_a_place_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = f"toy: can't listen at 127.0.0.1:{port} .*: does another training listen there"
        with pytest.raises(ValueError, match=told), Meeting(plan(port=port), words="toy"):
            pass


def test_each_fault_of_a_worker_is_said_with_its_cure() -> None:
    wanted = fit.facts(threads=1)
    assert meeting._faults(wanted, wanted) == ""
    versions = {**wanted["versions"], "torch": "1.0"}
    said = meeting._faults({**wanted, "code": "x", "versions": versions, "prepared": "y"}, wanted)
    assert said == (
        "works by other code: check out the same commit there; it has torch 1.0, not "
        f"{wanted['versions']['torch']}: run `make setup` there; it sees other data in "
        f"data/prepared, or none: copy or mount it into {wanted['folder']}"
    )
    assert "other code" in meeting._faults({}, wanted)
