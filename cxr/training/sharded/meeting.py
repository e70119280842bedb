"""Where a training gathers its workers: those that it starts on this machine, and those that join it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from cxr import progress, scratch
from cxr.cluster import fit
from cxr.training.folds import Task
from cxr.training.sharded import __main__ as joining
from cxr.training.sharded import gloo, tasks
from cxr.training.sharded.channel import Channel, Refused, meet
from cxr.training.sharded.team import Lost

JOIN_S = 300
"""How long the training waits for the next worker to join."""
_SAY_S = 3  # how long a worker may take to say what is wrong: it does so before it ends
_END_S = 10  # how long a worker may take to end


@dataclass(frozen=True)
class Plan:
    """Who is to meet, and where."""

    host: str
    port: int
    """0: any"""
    secret: bytes
    here: int
    """workers to start on this machine"""
    elsewhere: int
    """workers that join from other machines"""

    @property
    def size(self) -> int:
        """Return the number of processes, the training itself among them."""
        return 1 + self.here + self.elsewhere


@dataclass
class _Worker:
    channel: Channel
    host: str
    process: int
    """its number on its own machine"""


class Meeting:
    """The workers of a training, from their start to their end; `with` it."""

    def __init__(self, plan: Plan, *, words: str, wait_s: float = gloo.WAIT_S) -> None:
        """`words` name the stage and its item; a worker that keeps the others waiting for `wait_s` is lost."""
        self.plan, self.words, self._wait_s = plan, words, wait_s
        self._workers: list[_Worker] = []
        self._started: list[subprocess.Popen[bytes]] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__
        self.team: gloo.Processes

    def __enter__(self) -> Meeting:
        try:
            with self._listening() as listening:
                host, port = listening.getsockname()[:2]
                for _ in range(self.plan.here):
                    self._started.append(self._start(f"tcp://{host}:{port}"))
                if self.plan.elsewhere:
                    progress.say(
                        f"{self.words}: {self.plan.elsewhere} worker(s) may join: python -m "
                        f"cxr.training.sharded tcp://{host}:{port} --secret-file …"
                    )
                self._gather(listening, host)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:  # fmt: skip
        with contextlib.suppress(OSError):
            if kind is None:
                self._tell_all(None)
        self._end()

    def _listening(self) -> socket.socket:
        place = (self.plan.host, self.plan.port)
        try:
            return socket.create_server(place)
        except OSError as error:
            raise ValueError(
                f"{self.words}: can't listen at {place[0]}:{place[1]} ({error}): does another training "
                "listen there? CXR_JOIN_AT must be a free port at an address of this machine"
            ) from None

    def give(self, task: Task) -> None:
        """Send every worker a task, which this process then has to train too, as `team` says. Raises Lost."""
        words, arrays = tasks.pack(task)
        try:
            for worker in self._workers:
                worker.channel.send(words)
                worker.channel.send(arrays)
        except OSError as error:
            raise Lost(str(error)) from None

    def who_is_lost(self) -> str:
        """Return, after Lost, which workers are gone and what they said."""
        gone, silent = [], []
        for rank, worker in enumerate(self._workers, start=1):
            named = f"worker {rank} (process {worker.process} on {worker.host})"
            try:
                said = worker.channel.hear(_SAY_S)
            except TimeoutError:
                silent.append(f"{named} kept the others waiting for {self._wait_s:g} s")
            except (OSError, Refused):
                gone.append(f"{named} {self._how_ended(worker.process)}")
            else:
                gone += [f"{named} says: {said['error']}"] if "error" in said else []
        # where one is gone, a silent one only waits; one that lost another lost it to the same fault
        return "; ".join(gone or silent) or "a worker lost another one"

    def _how_ended(self, process: int) -> str:
        for started in self._started:
            if started.pid == process:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = started.wait(_END_S)
                    if code < 0:
                        return f"was killed by {signal.Signals(-code).name} (out of memory?)"
                    return f"ended with exit status {code}: {self._last_words()}"
        return "closed its connection: look at what it said there"

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")

    def _start(self, address: str) -> subprocess.Popen[bytes]:
        """Start a worker on this machine; the secret goes through its stdin, where nobody else looks."""
        path = os.pathsep.join(filter(None, [str(scratch.ROOT), os.environ.get("PYTHONPATH")]))
        started = subprocess.Popen(
            joining.command(address), stdin=subprocess.PIPE, stdout=self._log, stderr=self._log,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip
        assert started.stdin is not None
        with contextlib.suppress(BrokenPipeError), started.stdin as stdin:
            stdin.write(self.plan.secret)
        return started

    def _gather(self, listening: socket.socket, host: str) -> None:
        """Wait until all have joined, and let them find one another."""
        store, port = gloo.store(host)
        name = os.urandom(16).hex()  # nobody who was not told it can disturb the team in the store
        while len(self._workers) < self.plan.size - 1:
            self._admit(self._next(listening))
        for rank, worker in enumerate(self._workers, start=1):
            worker.channel.tell(
                {"rank": rank, "size": self.plan.size, "port": port, "team": name, "wait_s": self._wait_s}
            )  # fmt: skip
        self.team = gloo.Processes(
            store, name, rank=0, size=self.plan.size, host=host, wait_s=self._wait_s
        )

    def _next(self, listening: socket.socket) -> socket.socket:
        """Return the next connection. Raises ValueError if none comes, or a worker of this machine ended."""
        listening.settimeout(1.0)
        for _ in range(JOIN_S):
            with contextlib.suppress(TimeoutError):
                return listening.accept()[0]
            if any(started.poll() is not None for started in self._started):
                raise ValueError(f"{self.words}: a worker did not start: {self._last_words()}")
        raise ValueError(
            f"{self.words}: {len(self._workers)} of {self.plan.size - 1} workers joined within "
            f"{JOIN_S} s: start the others with `python -m cxr.training.sharded`, or lower "
            "CXR_JOIN_WORKERS"
        )

    def _admit(self, connection: socket.socket) -> None:
        """Take up a worker that knows the secret and would give our bytes; tell why another is not."""
        try:
            channel = meet(connection, self.plan.secret, "training")
            said = channel.hear(_END_S)
        except (OSError, Refused) as error:
            progress.say(f"{self.words}: a worker is refused: {error}")
            connection.close()
            return
        if faults := _faults(said, fit.facts(threads=1)):
            progress.say(f"{self.words}: the worker on {said.get('host')} is refused: it {faults}")
            channel.tell({"refused": f"it {faults}"})
            channel.close()
            return
        self._workers.append(_Worker(channel, str(said["host"]), int(said["process"])))

    def _tell_all(self, said: Any) -> None:
        for worker in self._workers:
            worker.channel.tell(said)

    def _end(self) -> None:
        """Let every worker end; none of this machine is left behind."""
        for worker in self._workers:
            worker.channel.close()
        for started in self._started:
            try:
                started.wait(_END_S if self._workers else 0)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
        self._log.close()


def _faults(found: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say what makes a worker give other bytes, and the cure; empty if nothing does."""
    wrong = []
    if found.get("code") != wanted["code"]:
        wrong.append("works by other code: check out the same commit there")
    versions = found.get("versions", {})
    for name, want in sorted(wanted["versions"].items()):
        if versions.get(name) != want:
            wrong.append(f"has {name} {versions.get(name)}, not {want}: run `make setup` there")
    if found.get("prepared") != wanted["prepared"]:
        wrong.append(
            f"sees other data in {fit.PREPARED}, or none: copy or mount it into {found.get('folder')}"
        )
    return "; it ".join(wrong)
