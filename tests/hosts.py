"""Two hosts on one machine: network namespaces joined by a cable; needs root and Debian's iproute2."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

Prefix = tuple[str, ...]
_NETWORK = 0x40000000  # CLONE_NEWNET


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """Both hosts, as words that run a program there."""

    address: str
    """of the first"""
    here: Prefix
    there: Prefix

    @contextlib.contextmanager
    def at(self, host: Prefix) -> Iterator[None]:
        """Let this thread, and all that it starts meanwhile, be on a host: its loopback is the host's."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{host[-1]}") as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def pull_the_plug(self) -> None:
        """Cut the second host off: nobody is told, packets only stop coming."""
        name = self.there[-1]
        subprocess.run(["ip", "-n", name, "link", "set", name, "down"], check=True)


def _enter(namespace: int) -> None:
    """Move this thread into a network namespace, as Python 3.12's os.setns does."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _NETWORK):
        raise OSError(ctypes.get_errno(), "setns")


def two() -> Iterator[Hosts]:
    """Yield two hosts, each with a loopback of its own; remove them afterwards; skip loudly without the means."""
    mark = f"cxr{os.getpid()}"
    names = [f"{mark}a", f"{mark}b"]
    steps = [
        *(["ip", "netns", "add", name] for name in names),
        ["ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1]],
        *(["ip", "link", "set", name, "netns", name] for name in names),
        *(["ip", "-n", name, "addr", "add", f"10.77.0.{i}/24", "dev", name] for i, name in enumerate(names, 1)),
        *(["ip", "-n", name, "link", "set", name, "up"] for name in names),
        *(["ip", "-n", name, "link", "set", "lo", "up"] for name in names),
    ]  # fmt: skip
    try:
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"NOT TESTED: two hosts need network namespaces, and root ({done.stderr.strip()})")  # fmt: skip
        first, second = (("ip", "netns", "exec", name) for name in names)
        yield Hosts(address="10.77.0.1", here=first, there=second)
    except FileNotFoundError:
        pytest.skip("NOT TESTED: two hosts need the program `ip` (Debian: iproute2)")
    finally:
        for name in names if shutil.which("ip") else []:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
