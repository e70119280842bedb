"""Several processes, one result: in the order of the inputs, whatever the number of processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from cxr import numerics, seeding, workers


def draw(index: int) -> bytes:
    """Work that ends out of order: the first items take longest."""
    time.sleep(0.02 * (5 - index % 5))
    return (seeding.stream(1, "workers", index).normal(size=64) @ np.ones(64)).tobytes()


def where(index: int) -> tuple[int, int, list[str]]:
    return index, os.getpid(), numerics.unpinned(os.environ)


def refuse_three(index: int) -> int:
    if index == 3:
        raise ValueError("image 3 can't be read: fetch it again")
    return index


def outgrow(index: int) -> tuple[int, int]:
    """Work after which loky takes its process for one that leaks."""
    from joblib.externals.loky import process_executor

    process_executor._MEMORY_LEAK_CHECK_DELAY = -1.0
    process_executor._MAX_MEMORY_LEAK_SIZE = -(2**62)
    return index, os.getpid()


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("chunk", [1, 4])
def test_results_do_not_depend_on_the_number_of_processes(
    monkeypatch: pytest.MonkeyPatch, processes: int, chunk: int
) -> None:
    monkeypatch.setenv("CXR_WORKERS", str(processes))
    assert workers.run(draw, range(11), words="drawing", chunk=chunk) == list(map(draw, range(11)))


def test_workers_are_other_processes_with_every_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "2")
    found = workers.run(where, range(6), words="looking")
    assert [index for index, _, _ in found] == list(range(6))
    assert os.getpid() not in {process for _, process, _ in found}
    assert [missing for _, _, missing in found] == [[]] * 6


def test_one_process_is_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    assert {process for _, process, _ in workers.run(where, range(3), words="looking")} == {
        os.getpid()
    }


def test_no_items_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "Parallel", None)
    monkeypatch.setenv("CXR_WORKERS", "4")
    assert workers.run(draw, [], words="nothing") == []


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_fault_in_a_worker_comes_out_as_it_is(
    monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    monkeypatch.setenv("CXR_WORKERS", processes)
    with pytest.raises(ValueError, match="image 3 can't be read"):
        workers.run(refuse_three, range(8), words="reading")


def test_a_worker_that_is_renewed_is_not_worth_a_word(python: Callable[..., object]) -> None:
    program = (
        "import os; os.environ['CXR_WORKERS'] = '2'; from cxr import workers;"
        "from tests.test_workers import outgrow;"
        "found = workers.run(outgrow, range(12), words='outgrowing');"
        "print([index for index, _ in found] == list(range(12)), len({pid for _, pid in found}) > 2)"
    )
    done = python("-c", program, pinned=True)
    assert done.stdout == "True True\n"  # type: ignore[attr-defined]
    assert done.stderr == ""  # type: ignore[attr-defined]


def first_kills(work: tuple[int, str]) -> bytes:
    """The first two runs of item 3 end as the kernel ends a process that has too much memory."""
    index, folder = work
    for name in ("first", "second"):
        mark = Path(folder) / name
        if index == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return draw(index)


def always_kills(work: tuple[int, str]) -> int:
    index, folder = work
    if index == 3:
        deadline = time.monotonic() + 60
        while not (Path(folder) / "arrived").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        (Path(folder) / f"{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def stay(work: tuple[int, str]) -> None:
    _, folder = work
    (Path(folder) / f"{os.getpid()}").touch()
    time.sleep(60)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_started_them(
    clean_environment: dict[str, str], tmp_path: Path, how: signal.Signals
) -> None:
    program = (
        "from cxr import workers; from tests.test_workers import stay;"
        f"workers.run(stay, [(index, {str(tmp_path)!r}) for index in range(4)], words='staying')"
    )
    environment = {**clean_environment, **numerics.PINS, "CXR_WORKERS": "2"}
    starter = subprocess.Popen([sys.executable, "-c", program], env=environment)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    starter.send_signal(how)
    starter.wait()
    pids = [path.name for path in tmp_path.iterdir()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while alive := [pid for pid in pids if Path("/proc", pid).exists()]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.1)


def test_a_worker_that_comes_too_late_ends_at_once(clean_environment: dict[str, str]) -> None:
    """Whoever started it was killed before: it has another parent from the first."""
    nobody = 2**22
    program = f"import time; from cxr import workers; workers._end_with({nobody}); time.sleep(60)"
    environment = {**clean_environment, **numerics.PINS}
    assert subprocess.run([sys.executable, "-c", program], env=environment, timeout=30).returncode


def leave(index: int) -> int:
    time.sleep(0.01 if index else 60)
    return index


@pytest.mark.parametrize("chunk", [1, 3])
def test_a_killed_worker_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], chunk: int
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "2")
    items = [(index, str(tmp_path)) for index in range(11)]
    found = workers.run(first_kills, items, words="drawing", chunk=chunk)
    assert found == list(map(draw, range(11)))
    assert len(list(tmp_path.iterdir())) == 2
    told = capfd.readouterr().err
    assert told.count("drawing: a worker was killed (out of memory?); what it left undone") == 2


def test_workers_that_are_killed_again_and_again_end_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All others are finished first; then nothing is between the losses."""
    monkeypatch.setenv("CXR_WORKERS", "2")
    items = [(index, str(tmp_path)) for index in range(8)]
    arrived = []
    with pytest.raises(ValueError, match="killed before anything was finished") as told:
        for number, _ in workers.arrivals(always_kills, items, words="training"):
            arrived.append(number)
            if len(arrived) == len(items) - 1:
                (tmp_path / "arrived").touch()
    assert sorted(arrived) == [0, 1, 2, 4, 5, 6, 7]
    assert "training: 3 times in a row" in str(told.value)
    assert "1 of 8 are missing: too little memory? Lower CXR_WORKERS (now 2 processes)" in str(
        told.value
    )
    assert len(list(tmp_path.glob("[0-9]*"))) >= workers.LOSSES
    assert workers.run(draw, range(3), words="drawing") == list(map(draw, range(3)))


@pytest.mark.parametrize("processes", ["1", "2", "3"])
def test_arrivals_are_every_item_with_its_place(
    monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    monkeypatch.setenv("CXR_WORKERS", processes)
    found = list(workers.arrivals(draw, range(11), words="drawing"))
    assert len(found) == 11 and dict(found) == {index: draw(index) for index in range(11)}


def test_what_is_finished_first_arrives_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Item 0 takes a minute; the others come meanwhile, and leaving stops it without a word."""
    monkeypatch.setenv("CXR_WORKERS", "2")
    start = time.monotonic()
    arriving = workers.arrivals(leave, range(5), words="waiting")
    assert [next(arriving) for _ in range(4)] == [(index, index) for index in range(1, 5)]
    arriving.close()
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("wanted", ["0", "-1", "two", "1.5", ""])
def test_a_number_of_workers_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    monkeypatch.setenv("CXR_WORKERS", wanted)
    with pytest.raises(
        ValueError, match=f"CXR_WORKERS must be a whole number above 0, not '{wanted}'"
    ):
        workers.count()


def test_count_follows_the_cores_that_this_process_may_use(
    monkeypatch: pytest.MonkeyPatch, python: Callable[..., object]
) -> None:
    monkeypatch.delenv("CXR_WORKERS", raising=False)
    assert 1 <= workers.count() <= len(os.sched_getaffinity(0))
    program = "from cxr import workers; print(workers.count())"
    done = python("-c", program, prefix=("taskset", "-c", "0"))
    assert done.stdout == "1\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("processes", [1, 2])
def test_work_beside_gives_what_it_would_here(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setenv("CXR_WORKERS", str(processes))
    with workers.beside(where, 7) as wait:
        index, process, missing = wait()
    assert (index, missing) == (7, [])
    assert (process == os.getpid()) == (processes == 1)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_of_work_beside_is_raised_where_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setenv("CXR_WORKERS", str(processes))
    said = pytest.raises(ValueError, match="image 3 can't be read: fetch it again")
    with workers.beside(refuse_three, 3) as wait, said:
        wait()
