"""A real scheduler and real workers on this machine, as a person starts them; and work for them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conftest import ROOT
from tests.test_workers import draw

STARTING_S = 60


class Started:
    """A program that was started, what it said, and its end."""

    def __init__(
        self,
        log: Path,
        *words: str,
        env: dict[str, str],
        cwd: Path = ROOT,
        before: Sequence[str] = (),
    ) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*before, sys.executable, *words], cwd=cwd, env=env, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip

    def await_words(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until the pattern stands in the log so many times; return the last."""
        deadline = time.monotonic() + STARTING_S
        while True:
            said = self.log.read_text(encoding="utf-8")
            found = list(re.finditer(pattern, said))
            if len(found) >= times:
                return found[-1]
            assert self.process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.05)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Cluster:
    """A scheduler; workers are added to it. `before` goes before a command, to run it on another host."""

    def __init__(self, folder: Path, env: dict[str, str], host: str, before: Sequence[str]) -> None:
        self.folder, self.env = folder, env
        self.started: list[Started] = []
        words = ("scheduler", "--host", host, "--port", "0")
        self.scheduler = self._start("-m", "cxr.cluster", *words, before=before)
        self.address = self.scheduler.await_words(rf"Scheduler at: +(tcp://{re.escape(host)}:\d+)")[
            1
        ]

    def _start(
        self,
        *words: str,
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
        before: Sequence[str] = (),
    ) -> Started:
        log = self.folder / f"{len(self.started)}.log"
        both = {**self.env, **(env or {})}
        self.started.append(Started(log, *words, env=both, cwd=cwd, before=before))
        return self.started[-1]

    def work(
        self,
        processes: int,
        *,
        cwd: Path = ROOT,
        env: dict[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Started:
        """Start so many workers; return when the scheduler knows them."""
        words = ("-m", "cxr.cluster", "worker", self.address, "--workers", str(processes))
        return self._await(processes, self._start(*words, cwd=cwd, env=env, before=before))

    def work_by_hand(self, *options: str) -> Started:
        """Start a worker with Dask's own program."""
        return self._await(
            1, self._start("-m", "distributed.cli.dask_worker", self.address, *options)
        )

    def _await(self, processes: int, started: Started) -> Started:
        started.await_words(r"Registered to: ", processes)
        return started

    def close(self) -> None:
        for started in reversed(self.started):
            started.kill()


@contextlib.contextmanager
def cluster(
    folder: Path, env: dict[str, str], *, host: str = "127.0.0.1", before: Sequence[str] = ()
) -> Iterator[Cluster]:
    """Yield a scheduler's cluster without workers; end all that was started."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Cluster(folder, env, host, before)
    try:
        yield found
    finally:
        found.close()


def draw_slowly(work: tuple[int, str]) -> bytes:
    """Draw, and leave a file named by the item and the process that worked."""
    index, folder = work
    (Path(folder) / f"{index}.{os.getpid()}").touch()
    time.sleep(0.3)
    return draw(index)


def draw_and_kill(work: tuple[int, str]) -> bytes:
    """Draw; item 4 kills its process the first time."""
    index, folder = work
    if index == 4 and not (Path(folder) / "killed").exists():
        (Path(folder) / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return draw(index)


def always_kill(index: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return index


def miss_three(index: int) -> int:
    if index == 3:
        raise TimeoutError("image 3 did not come in time")
    return index
