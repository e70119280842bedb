"""A stage with too little memory: the kernel kills one of its processes or all, and never is a result wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.speed import cgroup
from tests.proof import alone, conditions

pytestmark = pytest.mark.slow

ENOUGH = 8 << 30


def run(entry: alone.Entry, folder: Path, memory_bytes: int):
    """Run a stage within so much memory; return how it ended, the kernel's kills, and the peak."""
    with cgroup.box(cores=2, memory_bytes=memory_bytes) as box:
        said = alone.run(entry, folder, before=conditions.inside(box.folders), CXR_WORKERS="2")
        return said, box.killed(), box.peak_bytes()


@pytest.mark.parametrize("stage", ["search", "preprocess"])
def test_a_stage_out_of_memory_is_done_whole_or_not_at_all(small, tmp_path, stage):
    entry = alone.first(small, stage)
    alone.lay(entry, small, tmp_path / "free")
    try:
        said, killed, peak = run(entry, tmp_path / "free", ENOUGH)
    except cgroup.Unavailable as error:
        pytest.skip(f"memory can't be bound here, a full one is not proved: {error}")
    assert said.returncode == 0 and not killed, said.stderr[-2000:]
    folder, kills = tmp_path / "bound", 0
    alone.lay(entry, small, folder)
    for share in (0.5, 0.7, 0.8, 0.9):
        said, killed, _ = run(entry, folder, int(share * peak))
        kills += killed
        assert alone.half_made(entry, small, folder) == []
        if said.returncode == 0:
            break
        assert killed, said.stderr[-2000:]  # nothing else may stop it
    assert kills
    assert alone.run(entry, folder).returncode == 0
    assert alone.differing(entry, small, folder) == []
