"""Records: finished tasks are never worked again, and replayed, interrupted or parallel is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cxr.evolution import records
from tests.evolution import problems

PROGRAM = """
import stages, sys
from pathlib import Path
from tests.evolution import problems
print(problems.search(Path(sys.argv[1]), seconds=0.1))
"""
GENOMES = [(place, *[place % 8] * 9) for place in range(7)]


def _tasks(folder: Path) -> dict[str, problems.Task]:
    log = folder / "log"
    log.mkdir(exist_ok=True)
    return {
        f"task {genome[0]}": problems.Task(genome=genome, rung=0, log=str(log), seconds=0.0)
        for genome in GENOMES
    }


def _evaluate(folder: Path) -> dict[str, dict[str, Any]]:
    return records.evaluate(
        problems.evaluate, _tasks(folder), folder / "records", words="evaluating"
    )


def _runs(folder: Path) -> int:
    return len(list((folder / "log").iterdir()))


def _state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time of change and content of every file in the folder."""
    return {
        file.name: (file.stat().st_ino, file.stat().st_mtime_ns, file.read_bytes())
        for file in sorted(folder.iterdir())
    }


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")


def test_results_come_in_the_order_of_the_tasks_with_all_their_bits(tmp_path: Path) -> None:
    found = _evaluate(tmp_path)
    assert list(found) == [f"task {genome[0]}" for genome in GENOMES]
    for key, genome in zip(found, GENOMES, strict=True):
        assert found[key]["objectives"] == list(problems.zdt1(genome))  # to the last bit
        assert found[key]["third"] == 1 / 3
        assert found[key]["genome"] == list(genome)  # a tuple, had it not come from the record


def test_finished_tasks_are_not_worked_again(tmp_path: Path) -> None:
    first = _evaluate(tmp_path)
    before = _state(tmp_path / "records")
    assert len(before) == _runs(tmp_path) == len(GENOMES)
    assert _evaluate(tmp_path) == first
    assert _state(tmp_path / "records") == before
    assert _runs(tmp_path) == len(GENOMES)


def test_lost_records_alone_are_made_again(tmp_path: Path) -> None:
    first = _evaluate(tmp_path)
    before = _state(tmp_path / "records")
    lost = sorted(before)[::3]
    for name in lost:
        (tmp_path / "records" / name).unlink()
    assert _evaluate(tmp_path) == first
    after = _state(tmp_path / "records")
    assert _runs(tmp_path) == len(GENOMES) + len(lost)
    assert {name: after[name] for name in after if name not in lost} == {
        name: before[name] for name in before if name not in lost
    }
    assert {name: after[name][2] for name in lost} == {name: before[name][2] for name in lost}


@pytest.mark.parametrize(
    "damage",
    [b"", b'{"key": "task 0", "resu', b"\xff\xfe", b"[1, 2]", b"null",
     b'{"key": "task 1", "result": {"objectives": [0, 0]}}\n',
     b'{"key": "task 0", "result": [1]}', b'{"result": {}}'],
    ids=["empty", "cut", "not text", "a list", "null", "of another key", "no table", "no key"],
)  # fmt: skip
def test_a_damaged_or_foreign_record_is_made_again(tmp_path: Path, damage: bytes) -> None:
    first = _evaluate(tmp_path)
    before = _state(tmp_path / "records")
    name = next(name for name in before if json.loads(before[name][2])["key"] == "task 0")
    (tmp_path / "records" / name).write_bytes(damage)
    assert _evaluate(tmp_path) == first
    assert _runs(tmp_path) == len(GENOMES) + 1
    assert _state(tmp_path / "records")[name][2] == before[name][2]


def test_a_fault_keeps_what_was_finished_before_it(tmp_path: Path) -> None:
    tasks = _tasks(tmp_path)
    tasks["task 4"]["log"] = str(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        records.evaluate(problems.evaluate, tasks, tmp_path / "records", words="evaluating")
    assert len(_state(tmp_path / "records")) == _runs(tmp_path) == 4
    _evaluate(tmp_path)
    assert _runs(tmp_path) == len(GENOMES)


def test_a_result_that_is_no_number_is_named_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the result of task 0 is no number .* did it diverge"):
        records.evaluate(problems.diverge, _tasks(tmp_path), tmp_path / "records", words="x")
    assert not (tmp_path / "records").exists()


def test_no_task_needs_no_folder(tmp_path: Path) -> None:
    found = records.evaluate(problems.evaluate, {}, tmp_path / "records", words="nothing")
    assert found == {} and not (tmp_path / "records").exists()


def test_the_number_of_workers_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, contents = [], []
    for processes in ("1", "2", "3"):
        monkeypatch.setenv("CXR_WORKERS", processes)
        found.append(problems.search(tmp_path / processes, seconds=0.0))
        kept = _state(tmp_path / processes / "records")
        contents.append({name: content for name, (_, _, content) in kept.items()})
    assert found[0] == found[1] == found[2]
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]) == _runs(tmp_path / "3") == 80


def test_a_search_is_replayed_over_its_records(tmp_path: Path) -> None:
    first = problems.search(tmp_path, seconds=0.0)
    before = _state(tmp_path / "records")
    for name in sorted(before)[::4]:
        (tmp_path / "records" / name).unlink()
    assert problems.search(tmp_path, seconds=0.0) == first
    after = _state(tmp_path / "records")
    assert {name: after[name][2] for name in after} == {name: before[name][2] for name in before}
    assert _runs(tmp_path) == len(before) + len(sorted(before)[::4])


def test_killed_and_started_again_is_as_never_killed(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    """kill -9 in the middle, workers and all: what is on record is neither lost nor worked again.

    Lost are at most two tasks in progress, and those on their way to the process that writes.
    """
    environment = {**clean_environment, "CXR_WORKERS": "2"}
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "killed")]
    process = subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    kept = tmp_path / "killed" / "records"
    deadline = time.monotonic() + 60
    while len(list(kept.glob("[!.]*.json"))) < 17:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.communicate()[0] == b"" and process.returncode == -signal.SIGKILL
    runs = _runs(tmp_path / "killed")
    before = {name: state for name, state in _state(kept).items() if not name.startswith(".")}
    assert 17 <= len(before) <= runs <= len(before) + 4 and len(before) < 80

    resumed = problems.search(tmp_path / "killed", seconds=0.0)
    assert resumed == problems.search(tmp_path / "whole", seconds=0.0)
    after = {name: state for name, state in _state(kept).items() if not name.startswith(".")}
    assert {name: after[name] for name in before} == before
    assert len(after) == 80 and _runs(tmp_path / "killed") == runs + 80 - len(before)
