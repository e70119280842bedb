"""A flow's search on a Dask cluster of two hosts: one is cut off, no evaluation is lost, no byte differs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import running
from tests.hosts import Hosts
from tests.proof import clones
from tests.proof.test_resume import Records

pytestmark = pytest.mark.slow


def forget(root: Path) -> None:
    """Remove what the search has made, and all that DVC remembers of any stage."""
    (run,) = clones.parameters(root)["search"]["runs"]
    for name in (
        ".dvc/cache/runs",
        ".dvc/cache/files",
        "data/.scratch",
        f"data/searched/{run}",
        f"reports/search/{run}",
    ):
        shutil.rmtree(root / name)


def test_a_host_that_is_cut_off_costs_no_evaluation(
    small: Path, two_machines: Hosts, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(small, tmp_path / "clone", symlinks=True))
    wanted = clones.reproduced(root)
    forget(root)
    env, hosts = clones.environment(root), two_machines
    with running.cluster(tmp_path / "logs", env, host=hosts.address, before=hosts.here) as dask:
        dask.work(1, cwd=root, before=hosts.here)
        lost = dask.work(1, cwd=root, before=hosts.there)
        with (tmp_path / "said.txt").open("w") as said:
            flow = subprocess.Popen(
                [*hosts.here, sys.executable, "-m", "flows.reproduce"], cwd=root, stdout=said,
                stderr=said, env={**env, "CXR_CLUSTER": dask.address},
            )  # fmt: skip
        records = Records(root)
        while len(records.seen) < 4 and flow.poll() is None:
            records.look()
            time.sleep(0.05)
        hosts.pull_the_plug()
        lost.kill()
        assert flow.poll() is None, (tmp_path / "said.txt").read_text()
        while flow.poll() is None:
            records.look()
            time.sleep(0.05)
    assert flow.returncode == 0, (tmp_path / "said.txt").read_text()
    assert (root / "dvc.lock").read_bytes() == wanted
