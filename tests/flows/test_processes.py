"""Programs end when the block that runs them does, and with one another."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from flows import processes
from tests.flows.test_leash import await_end

SLEEP = "import os, sys; print(os.getpid(), flush=True); import time; time.sleep(300)"


def test_words_of_a_program_come_out_and_its_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('a'); print('b', file=sys.stderr); exit(3)"]
    with processes.session(command, tmp_path, os.environ, piped=True) as process:
        assert process.stdout is not None
        assert sorted(process.stdout.read().split()) == ["a", "b"]
        assert process.wait(timeout=60) == 3


def test_a_block_that_fails_ends_its_program(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="enough"),
        processes.session([sys.executable, "-c", SLEEP], tmp_path, os.environ, piped=True) as found,
    ):
        assert found.stdout is not None
        started = int(found.stdout.readline())
        raise ValueError("enough")
    await_end([started])


def test_programs_of_other_threads_end_too_and_none_begins(tmp_path: Path) -> None:
    said: list[object] = []
    begun = threading.Event()

    def work() -> None:
        command = [sys.executable, "-c", SLEEP]
        with processes.session(command, tmp_path, os.environ, piped=True) as found:
            assert found.stdout is not None
            said.append(int(found.stdout.readline()))
            begun.set()
            said.append(found.wait(timeout=60))
        try:
            with processes.session(command, tmp_path, os.environ):
                said.append("began")
        except KeyboardInterrupt:
            said.append("refused")

    thread = threading.Thread(target=work)
    with pytest.raises(RuntimeError, match="a fault"), processes.together():
        thread.start()
        assert begun.wait(60)
        raise RuntimeError("a fault")
    thread.join(timeout=60)
    process, code, last = said
    assert isinstance(process, int) and code != 0 and last == "refused"
    await_end([process])


def test_after_a_fault_the_next_block_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault"), processes.together():
        raise RuntimeError("a fault")
    command = [sys.executable, "-c", "pass"]
    with processes.together(), processes.session(command, tmp_path, os.environ) as process:
        assert process.wait(timeout=60) == 0


def test_after_a_fault_its_own_thread_may_begin_what_tidies_up(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault"), processes.together():
        raise RuntimeError("a fault")
    with processes.session([sys.executable, "-c", "pass"], tmp_path, os.environ) as process:
        assert process.wait(timeout=60) == 0


def test_no_program_keeps_another_ones_leash(tmp_path: Path) -> None:
    """A pipe that a later program inherited would hold the first one's leash after our death."""
    command = [sys.executable, "-c", SLEEP]
    with (
        processes.session(command, tmp_path, os.environ, piped=True) as first,
        processes.session(command, tmp_path, os.environ, piped=True) as second,
    ):
        assert first.stdin is not None and first.stdout is not None and second.stdout is not None
        second.stdout.readline()
        started = int(first.stdout.readline())
        first.stdin.close()
        deadline = time.monotonic() + 60
        while first.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        await_end([started])
        assert second.poll() is None
