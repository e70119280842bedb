"""Work on a real Dask cluster: the same results, whoever is lost; errors that say what to do."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cxr import cluster, workers
from cxr.evolution import records
from tests import probe
from tests.cluster import running
from tests.evolution import problems
from tests.test_numerics import STEPS, _train_exactly
from tests.test_workers import draw, refuse_three, where

DRAWN = [draw(index) for index in range(11)]


@pytest.fixture(scope="module")
def two(
    tmp_path_factory: pytest.TempPathFactory, clean_environment: dict[str, str]
) -> Iterator[running.Cluster]:
    """A cluster of two workers that several tests use."""
    with running.cluster(tmp_path_factory.mktemp("two"), clean_environment) as found:
        found.work(2)
        yield found


@pytest.fixture
def own(
    tmp_path: Path, clean_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[running.Cluster]:
    """A scheduler without workers that a test may treat badly."""
    environment = {**clean_environment, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    with running.cluster(tmp_path / "cluster", environment) as found:
        monkeypatch.setenv("CXR_CLUSTER", found.address)
        yield found


@pytest.fixture
def on_two(two: running.Cluster, monkeypatch: pytest.MonkeyPatch) -> running.Cluster:
    monkeypatch.setenv("CXR_CLUSTER", two.address)
    return two


@pytest.mark.parametrize("chunk", [1, 4])
def test_results_are_those_of_one_process(on_two: running.Cluster, chunk: int) -> None:
    assert workers.run(draw, range(11), words="drawing", chunk=chunk) == DRAWN
    arrived = list(workers.arrivals(draw, range(11), words="drawing", chunk=chunk))
    assert len(arrived) == 11 and dict(arrived) == dict(enumerate(DRAWN))


def test_workers_are_other_processes_with_every_pin(on_two: running.Cluster) -> None:
    """The workers were started from an environment without any pin; nannies change some."""
    found = workers.run(where, range(8), words="looking")
    processes = {process for _, process, _ in found}
    assert os.getpid() not in processes and len(processes) == 2
    assert [missing for _, _, missing in found] == [[]] * 8


def test_training_gives_the_same_bytes(on_two: running.Cluster) -> None:
    here = _train_exactly(STEPS)
    assert workers.run(_train_exactly, [STEPS, STEPS], words="training") == [here, here]
    assert here == probe.training_sha256(STEPS)


def test_a_fault_in_a_worker_comes_out_as_it_is(on_two: running.Cluster) -> None:
    with pytest.raises(ValueError, match=r"^image 3 can't be read: fetch it again$"):
        workers.run(refuse_three, range(8), words="reading")
    assert workers.run(draw, range(11), words="drawing") == DRAWN


def test_a_time_limit_within_the_work_is_no_wait_for_it(on_two: running.Cluster) -> None:
    with pytest.raises(TimeoutError, match=r"^image 3 did not come in time$"):
        workers.run(running.miss_three, range(8), words="reading")


def test_no_items_ask_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_CLUSTER", "nonsense")
    assert workers.run(draw, [], words="nothing") == []


def test_records_are_written_by_the_caller_alone(
    on_two: running.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is relative: to the workers, which run elsewhere, it would be another one."""
    monkeypatch.setattr(cluster.fit, "PREPARED", Path("nowhere"))
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log"
    log.mkdir()
    tasks = {
        f"task {place}": problems.Task(genome=(place, *[0] * 9), rung=0, log=str(log), seconds=0.0)
        for place in range(5)
    }
    found = records.evaluate(problems.evaluate, tasks, Path("records"), words="evaluating")
    assert len(list((tmp_path / "records").iterdir())) == 5
    monkeypatch.delenv("CXR_CLUSTER")
    alone = records.evaluate(problems.evaluate, tasks, Path("alone"), words="evaluating")
    assert found == alone
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("records", "alone")
    ]
    assert contents[0] == contents[1]


def test_a_killed_worker_changes_nothing(on_two: running.Cluster, tmp_path: Path) -> None:
    items = [(index, str(tmp_path)) for index in range(11)]
    assert workers.run(running.draw_and_kill, items, words="drawing") == DRAWN
    assert [path.name for path in tmp_path.iterdir()] == ["killed"]


@pytest.mark.slow
def test_work_that_always_kills_its_worker_is_given_up(own: running.Cluster) -> None:
    own.work(1)
    message = r"training: some work ended with the death of its worker again and again, .*memory"
    with pytest.raises(ValueError, match=message):
        workers.run(running.always_kill, [1], words="training")
    assert workers.run(draw, range(11), words="drawing") == DRAWN  # workers and scheduler live on


@pytest.mark.slow
def test_work_goes_on_when_all_workers_are_lost_and_others_come(
    own: running.Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = own.work(2)
    items = [(index, str(tmp_path)) for index in range(11)]
    found: list[Any] = []

    def run() -> None:
        found.extend(workers.run(running.draw_slowly, items, words="drawing"))

    working = threading.Thread(target=run)
    working.start()
    _await(lambda: len(list(tmp_path.glob("*.*"))) >= 4)
    first.kill()
    told = ""

    def lacking() -> bool:
        nonlocal told
        told += capfd.readouterr().err
        return "drawing: the cluster has no worker, waiting up to 300 s for one" in told

    _await(lacking)
    own.work(1)
    working.join(timeout=60)
    assert found == DRAWN
    processes = {path.name.partition(".")[2] for path in tmp_path.glob("*.*")}
    assert len(processes) == 3  # two that were lost, one that came


def test_without_any_worker_work_ends_after_a_while(
    own: running.Cluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster, "WAIT_S", 2)
    message = rf"the cluster at {own.address} had no worker for 2 s: start some with `python -m"
    with pytest.raises(ValueError, match=message):
        workers.run(draw, range(3), words="drawing")
    assert f"`python -m cxr.cluster worker {own.address}`" in capfd.readouterr().err


@pytest.mark.slow
def test_work_ends_when_all_workers_stay_lost(
    own: running.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "WAIT_S", 4)
    first = own.work(1)
    arriving = workers.arrivals(
        running.draw_slowly, [(index, str(tmp_path)) for index in range(11)], words="drawing"
    )
    next(arriving)
    _await(lambda: len(list(tmp_path.iterdir())) >= 6)  # results wait in the worker for nobody
    first.kill()
    with pytest.raises(ValueError, match="had no worker for 4 s"):
        list(arriving)


def test_a_lost_scheduler_ends_the_work(own: running.Cluster, tmp_path: Path) -> None:
    own.work(1)
    arriving = workers.arrivals(
        running.draw_slowly, [(index, str(tmp_path)) for index in range(11)], words="drawing"
    )
    next(arriving)
    own.scheduler.kill()
    with pytest.raises(ValueError, match=rf"the scheduler at {own.address} was lost, \d+ parcels"):
        list(arriving)


def test_a_dead_address_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_CLUSTER", "tcp://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"no scheduler answers at tcp://127\.0\.0\.1:9 .* unset"):
        workers.run(draw, range(3), words="drawing")
    assert time.monotonic() - start < 15


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8786", "tcp://host", "http://host:1", "tcp://a b:1"]
)
def test_what_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("CXR_CLUSTER", address)
    with pytest.raises(ValueError, match=f"must be like tcp://127.0.0.1:8786, not '{address}'"):
        workers.run(draw, range(3), words="drawing")


def test_without_the_package_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_CLUSTER", "tcp://127.0.0.1:8786")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match="package distributed is not installed: run `make setup`"):
        workers.run(draw, range(3), words="drawing")


def _await(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
