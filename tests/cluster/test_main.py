"""Schedulers and workers are started with every pin, for this machine alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import dask.config
import psutil
import pytest

from cxr import numerics
from cxr.cluster import __main__ as starting
from tests.cluster import running
from tests.conftest import ROOT


@pytest.fixture
def started(
    tmp_path: Path, clean_environment: dict[str, str]
) -> Iterator[tuple[running.Started, running.Started]]:
    """A scheduler and two workers that were started from an environment without any pin."""
    with running.cluster(tmp_path, clean_environment) as found:
        yield found.scheduler, found.work(2)


def _processes(program: running.Started) -> list[psutil.Process]:
    parent = psutil.Process(program.process.pid)
    return [parent, *parent.children(recursive=True)]


def test_started_processes_are_pinned_and_listen_on_this_machine_alone(
    started: tuple[running.Started, running.Started],
) -> None:
    scheduler, worker = (_processes(program) for program in started)
    listening = []
    for process in (*scheduler, *worker):
        listening += [x.laddr.ip for x in process.net_connections() if x.status == "LISTEN"]
    assert len(listening) >= 5 and set(listening) == {"127.0.0.1"}
    environments = [process.environ() for process in (scheduler[0], worker[0])]
    assert [numerics.unpinned(environment) for environment in environments] == [[], []]
    assert all(process.cwd() == str(ROOT) for process in (scheduler[0], worker[0]))


def test_nannies_are_told_the_pins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask reads its settings from the environment; these would else be other values."""
    monkeypatch.setattr(os, "environ", starting._environment())
    with dask.config.set(config := dask.config.collect(paths=[])):
        nanny = dask.config.get("distributed.nanny.pre-spawn-environ", config=config)
        assert nanny == numerics.PINS and nanny["MALLOC_TRIM_THRESHOLD_"] != "65536"
        for server in ("scheduler", "worker"):
            assert dask.config.get(f"distributed.{server}.http.routes", config=config) == []


def test_a_worker_listens_where_the_scheduler_is_reached() -> None:
    options = starting._worker_options("tcp://127.0.0.1:8786", 3)
    assert options[options.index("--host") + 1] == "127.0.0.1"
    assert options[options.index("--nworkers") + 1] == "3"
    assert options[options.index("--nthreads") + 1] == "1"


@pytest.mark.parametrize("words", [[], ["worker"], ["workers", "tcp://127.0.0.1:8786"]])
def test_a_wrong_command_is_told(
    python: Callable[..., subprocess.CompletedProcess[str]], words: list[str]
) -> None:
    done = python("-m", "cxr.cluster", *words)
    assert done.returncode == 2 and "usage: python -m cxr.cluster" in done.stderr


def test_help_says_who_can_run_code(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = python("-m", "cxr.cluster", "--help")
    assert done.returncode == 0 and "A cluster must be trusted" in done.stdout
