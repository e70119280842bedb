"""Two hosts: workers that a person starts elsewhere join a training, and its bytes are those of one process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.hosts import Hosts, Prefix
from tests.training.sharded.project import everything, work

PROGRAM = (
    "from pathlib import Path; from cxr.training.sharded import parallel;"
    "from tests.training.sharded.project import digest, everything, work;"
    "print(digest(parallel.run(work(Path('.'), everything()), words='toy', folder=Path('records'))[0]))"
)


def trained(
    folder: Path, host: str, here: Prefix = (), there: Prefix = (), *, workers: int = 1
) -> tuple[str, str]:
    """Train in `folder` with workers from a second folder; return what the training and the workers say."""
    for name in ("here", "there"):
        (folder / name).mkdir()
        work(folder / name, everything())
    secret = folder / "join.secret"
    secret.write_bytes(os.urandom(16).hex().encode())
    secret.chmod(0o600)
    base = {**os.environ, "PYTHONPATH": str(ROOT)}
    joining = {
        "CXR_JOIN_AT": f"tcp://{host}:29433", "CXR_JOIN_WORKERS": str(workers),
        "CXR_JOIN_SECRET_FILE": str(secret), "CXR_WORKERS": "2",
    }  # fmt: skip
    join = ["-m", "cxr.training.sharded", joining["CXR_JOIN_AT"], "--secret-file", str(secret)]
    joined = subprocess.Popen(
        [*there, sys.executable, *join, "--workers", str(workers)],
        cwd=folder / "there", env=base, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    done = subprocess.run(
        [*here, sys.executable, "-c", PROGRAM], cwd=folder / "here", env={**base, **joining},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    _, said = joined.communicate(timeout=60)
    assert (done.returncode, joined.returncode) == (0, 0), done.stderr + said
    return done.stdout.strip(), said


def alone(folder: Path) -> str:
    """Return what the same training gives in one process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "1"},
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.slow
def test_workers_that_join_change_no_byte(tmp_path: Path) -> None:
    """Two processes here, two that join from another folder with a copy of the data."""
    found, said = trained(tmp_path, "127.0.0.1", workers=2)
    assert found == alone(tmp_path) and len(found) == 64
    assert len(re.findall("as worker [123] of 3", said)) == 2, said  # who comes first is first


@pytest.mark.slow
def test_two_hosts_give_the_same_bytes(tmp_path: Path, two_machines: Hosts) -> None:
    hosts = two_machines
    found, said = trained(tmp_path, hosts.address, hosts.here, hosts.there)
    assert found == alone(tmp_path) and "joined 10.77.0.1:29433" in said


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ((), 2, "usage: python -m cxr.training.sharded"),
        (("tcp://127.0.0.1:1",), 2, "--secret-file"),
        (("127.0.0.1:1", "--secret-file", "x"), 1, "worker: error: an address must be like tcp://"),
        (("tcp://127.0.0.1:1", "--secret-file", "x"), 1, "worker: error: [Errno 2] No such file"),
    ],
)
def test_a_wrong_command_is_told(
    python: Callable[..., subprocess.CompletedProcess[str]],
    words: tuple[str, ...], status: int, told: str,
) -> None:  # fmt: skip
    done = python("-m", "cxr.training.sharded", *words)
    assert done.returncode == status and told in done.stderr


def test_help_says_what_is_not_protected(
    python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = python("-m", "cxr.training.sharded", "--help")
    assert (
        done.returncode == 0 and "it is not encrypted: use a network that you trust" in done.stdout
    )
