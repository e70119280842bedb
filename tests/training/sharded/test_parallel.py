"""The number of processes changes no byte, and settings that don't fit are refused at the door."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cxr import numerics
from cxr.training.sharded import parallel
from tests import children
from tests.conftest import ROOT
from tests.training.sharded.project import digest, everything, work

numerics.exact_torch()
JOIN = {"CXR_JOIN_AT": "tcp://127.0.0.1:29400", "CXR_JOIN_WORKERS": "1"}


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "join.secret"
    path.write_bytes(b"0123456789abcdef\n")
    path.chmod(0o600)
    return str(path)


@pytest.mark.slow
def test_one_two_and_four_processes_give_the_same_weights_and_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With augmentation, mix-up, dropout, drop path, BatchNorm, moving average, weights, unknown labels."""
    monkeypatch.chdir(tmp_path)
    task = work(tmp_path, everything(calibration="temperature"))
    found = []
    for processes in (1, 2, 3, 4):
        monkeypatch.setenv("CXR_WORKERS", str(processes))
        (saved,) = parallel.run(task, words="toy", folder=tmp_path / f"records-{processes}")
        found.append(digest(saved))
    assert len(set(found)) == 1
    assert children.running("cxr.training.sharded") == []


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_training(tmp_path: Path, how: signal.Signals) -> None:
    program = (
        "import os; from pathlib import Path; from cxr.training.sharded import parallel;"
        "from tests.training.sharded.project import everything, work;"
        "parallel.run(work(Path('.'), everything(epochs=500)), words='toy', folder=Path('records'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CXR_WORKERS": "2"}
    starter = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    deadline = time.monotonic() + 120
    while not (found := psutil.Process(starter.pid).children()) or len(found[0].net_connections()) < 3:  # fmt: skip
        assert starter.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    starter.send_signal(how)
    starter.wait()
    gone, alive = psutil.wait_procs(found, timeout=60)
    assert len(gone) == 1 and not alive


def test_the_machine_says_how_many_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "4")
    for shards, folds, workers in ((1, 1, 0), (2, 1, 1), (8, 1, 3), (8, 3, 3), (8, 4, 0)):
        found = parallel.plan(shards, folds=folds, environment={})
        assert (found.here if found else 0) == workers
        if found:
            assert (found.host, found.elsewhere, len(found.secret)) == ("127.0.0.1", 0, 16)
    assert parallel.plan(8, folds=1, environment={"CXR_CLUSTER": "tcp://127.0.0.1:1"}) is None


def test_workers_from_elsewhere_take_the_place_of_ones_here(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "4")
    given = {**JOIN, "CXR_JOIN_SECRET_FILE": secret}
    found = parallel.plan(4, folds=9, environment={**given, "CXR_JOIN_WORKERS": "2"})
    assert found and (found.host, found.port, found.here, found.elsewhere) == ("127.0.0.1", 29400, 1, 2)  # fmt: skip
    assert found.secret == b"0123456789abcdef" and found.size == 4
    assert parallel.plan(1, folds=1, environment=given) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"CXR_JOIN_AT": "127.0.0.1:29400"}, r"an address must be like tcp://"),
        ({"CXR_JOIN_AT": "tcp://0.0.0.0:29400"}, r"must name this machine's address .* not 0\.0"),
        ({"CXR_JOIN_WORKERS": ""}, "CXR_JOIN_WORKERS must be .* 1 to 3 with 4 shards, not ''"),
        ({"CXR_JOIN_WORKERS": "4"}, "CXR_JOIN_WORKERS must be .*, not '4'"),
        ({"CXR_CLUSTER": "tcp://127.0.0.1:1"}, "CXR_CLUSTER and CXR_JOIN_AT are both set"),
        ({}, "no CXR_JOIN_SECRET_FILE: make one with `openssl rand"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parallel.plan(4, folds=1, environment={**JOIN, **changes})


def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    path = Path(secret)
    path.chmod(0o640)
    with pytest.raises(ValueError, match=r"others can read it: chmod 600 .*join\.secret"):
        parallel.secret(path)
    path.chmod(0o600)
    path.write_bytes(b"short\n")
    with pytest.raises(ValueError, match=r"holds 5 bytes, a secret needs 16 or more"):
        parallel.secret(path)
