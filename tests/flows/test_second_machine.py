"""A worker on a second machine, as `python -m flows.worker --help` says: two files by scp, the port through ssh."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import remotes, served, toy
from tests.hosts import Hosts

pytestmark = pytest.mark.slow
DEPLOYMENT = "reproduce/gpu"


class Second:
    """A clone on the second host, the way to the first one's port, and the worker."""

    def __init__(self, root: Path, hosts: Hosts, ssh: remotes.SSH, first: served.Served) -> None:
        self.root, self.hosts, self.first = root, hosts, first
        mine = ["-i", ssh.place / "mine", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]  # fmt: skip
        self.options = [str(word) for word in mine]
        self.port = str(ssh.port)
        self.place = ssh.place

    def copy_state(self) -> None:
        """Bring address and credentials of the server over."""
        (self.root / ".serve").mkdir()
        state = self.first.root / ".serve"
        names = [f"root@{self.hosts.address}:{state / name}" for name in ("address", "credentials")]
        words = ["scp", "-q", "-p", "-P", self.port, *self.options, *names, str(self.root / ".serve")]  # fmt: skip
        subprocess.run([*self.hosts.there, *words], check=True)

    @contextlib.contextmanager
    def started(self, name: str, words: list[str]) -> Iterator[None]:
        """Run a program on the second host in a group of its own, until this ends."""
        with (self.place / name).open("a") as log:
            program = subprocess.Popen(
                [*self.hosts.there, *words],
                cwd=self.root, env=self.first.env, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(60)

    def tunnel(self) -> contextlib.AbstractContextManager[None]:
        """Lead the server's port through ssh."""
        there = (self.root / ".serve/address").read_text().split(":")[2].split("/")[0]
        forward = f"{there}:127.0.0.1:{there}"
        words = ["ssh", "-N", "-p", self.port, *self.options, "-L", forward, f"root@{self.hosts.address}"]  # fmt: skip
        return self.started("tunnel", words)

    def worker(self) -> contextlib.AbstractContextManager[None]:
        """Take runs from the queue `gpu`."""
        return self.started("worker", [sys.executable, "-m", "flows.worker", "--queue", "gpu"])


@pytest.fixture
def second(tmp_path: Path, two_machines: Hosts) -> Iterator[Second]:
    remotes.need_sshd()
    with two_machines.at(two_machines.here):
        first = served.Served(tmp_path, "http://127.0.0.1:9/nobody")
        ssh = remotes.SSH(tmp_path, two_machines.address)
        ssh.start()
        first.start()
        root = tmp_path / "of the second machine"
        toy.git(tmp_path, "clone", "--quiet", str(first.root), str(root))
        found = Second(root, two_machines, ssh, first)
        found.copy_state()
        try:
            yield found
        finally:
            first.stop(signal.SIGINT)
            ssh.kill()


def test_runs_happen_on_the_second_machine_and_a_broken_line_loses_none(second: Second) -> None:
    first = second.first
    with second.worker():
        with second.tunnel():
            run = first.run(DEPLOYMENT)
            first.reaches(run, "Completed", seconds=240)
            locked = (second.root / "dvc.lock").read_bytes()
            assert (second.root / "data/models").is_dir()
        run = first.run(DEPLOYMENT)
        (second.root / "data/models/right/weights.txt").unlink()
        with second.tunnel():
            first.reaches(run, "Completed", seconds=240)
    assert (second.root / "data/models/right/weights.txt").is_file()
    assert (second.root / "dvc.lock").read_bytes() == locked
    assert not (first.root / "data/models").exists() and not (first.root / "dvc.lock").exists()
    only = {"logs": {"flow_run_id": {"any_": [run]}}}
    assert "fit@right" in str(first.ask("/logs/filter", only)[1])  # what it said came home
