"""The control group: found in the kernel's own tables, enforced by the kernel, gone afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cxr.speed import cgroup
from cxr.speed.cgroup import Unavailable

V1 = """\
30 20 0:26 / /groups/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 20 0:27 /docker/ab /groups/memory rw,relatime shared:9 - cgroup cgroup rw,memory
32 20 0:28 / /groups/unified rw,relatime - cgroup2 cgroup2 rw
33 20 8:1 / / rw,relatime - ext4 /dev/sda1 rw
"""
FILL = """
import sys, time
kept = b"1" * (int(sys.argv[1]) << 20)
start, used = time.monotonic(), time.process_time()
while time.monotonic() - start < 1.0:
    pass
print(time.process_time() - used)
"""


@pytest.fixture
def box():
    try:
        with cgroup.box(cores=1, memory_bytes=256 << 20) as made:
            yield made
    except Unavailable as error:
        pytest.skip(f"NOT TESTED: no control group can be made here: {error}")


def fill(box: cgroup.Box, megabytes: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", FILL, str(megabytes)],
        preexec_fn=box.enter, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_kernel_kills_what_takes_more_memory_and_counts_what_takes_less(box):
    assert fill(box, 100).returncode == 0
    assert box.killed() == 0
    peak = box.peak_bytes()
    assert peak is None or 100 << 20 <= peak <= 256 << 20
    assert fill(box, 400).returncode == -9
    assert box.killed() == 1


def test_the_limits_are_those_asked_for(box):
    text = {
        name: (folder / name).read_text().strip()
        for folder in box.folders
        for name in ("cpu.max", "memory.max", "cpu.cfs_quota_us", "memory.limit_in_bytes")
        if (folder / name).exists()
    }
    v1 = {"cpu.cfs_quota_us": "100000", "memory.limit_in_bytes": str(256 << 20)}
    assert text == (v1 if box.version == 1 else {"cpu.max": "100000 100000", "memory.max": str(256 << 20)})  # fmt: skip


def test_the_group_is_gone_afterwards(box):
    folders = box.folders
    assert all(folder.is_dir() for folder in folders)
    for folder in folders:
        cgroup._remove(folder)
    assert not any(folder.exists() for folder in folders)


def process(folder: Path, groups: str, mounts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup").write_text(groups)
    (folder / "mountinfo").write_text(mounts)
    return folder


def test_version_1_is_found_beneath_the_processs_own_groups(tmp_path):
    groups = "4:memory:/docker/ab/inner\n1:cpu,cpuacct:/user\n0::/\n"
    found = cgroup._hosts(process(tmp_path, groups, V1))
    assert found == [(1, (Path("/groups/cpu,cpuacct/user"), Path("/groups/memory/inner")))]


def test_version_2_is_found_where_groups_beneath_get_both_controllers(tmp_path):
    top = tmp_path / "groups"
    own = top / "user.slice/session"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").write_text("\n")
    (own.parent / "cgroup.subtree_control").write_text("memory pids\n")
    (top / "cgroup.subtree_control").write_text("cpuset cpu io memory pids\n")
    mounts = f"24 20 0:22 / {top} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    found = cgroup._hosts(process(tmp_path / "proc", "0::/user.slice/session\n", mounts))
    assert found == [(2, (top,))]
    (own.parent / "cgroup.subtree_control").write_text("cpu memory\n")
    found = cgroup._hosts(process(tmp_path / "proc", "0::/user.slice/session\n", mounts))
    assert found == [(2, (own.parent,)), (2, (top,))]


def enter_one() -> None:
    with cgroup.box(cores=1, memory_bytes=1 << 20):
        raise AssertionError("there is no group")


def test_where_none_can_be_made_it_says_why_and_what_helps(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroup, "_hosts", lambda process: [])
    with pytest.raises(Unavailable, match=r"no control groups .* are mounted; run as root, or"):
        enter_one()
    nowhere = tmp_path / "not there"
    monkeypatch.setattr(cgroup, "_hosts", lambda process: [(2, (nowhere,))])
    with pytest.raises(Unavailable, match=f"{nowhere}/cxr-speed.*: No such file"):
        enter_one()


def test_what_could_be_made_only_in_part_is_removed(monkeypatch, tmp_path):
    first = tmp_path / "cpu"
    first.mkdir()
    monkeypatch.setattr(cgroup, "_hosts", lambda process: [(1, (first, tmp_path / "not there"))])
    with pytest.raises(Unavailable):
        enter_one()
    assert list(first.iterdir()) == []
