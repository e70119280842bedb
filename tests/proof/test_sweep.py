"""The committed sweep of 24 real combinations: killed three times it leaves what it leaves in one go, and no core idle."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows import sweeping
from tests.flows.sweeping import Sweep
from tests.proof import clones

pytestmark = pytest.mark.slow
NAME = "phantom_small"
BUSY = 0.85


def sweep(root: Path) -> Sweep:
    """Return the sweep as a person starts it there."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Sweep(root, NAME, {"PATH": path})


@pytest.fixture(scope="module")
def unswept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of HEAD; not to be changed."""
    return clones.clone(tmp_path_factory.mktemp("sweep") / "clone")


@pytest.fixture(scope="module")
def swept(unswept: Path) -> tuple[Sweep, float]:
    """The clone swept in one go, and how busy that kept the cores."""
    one = sweep(Path(shutil.copytree(unswept, unswept.with_name("swept"), symlinks=True)))
    return one, busy(one.finish)


def busy(work: Callable[[], object]) -> float:
    """Return which part of what others left of the cores was used by what `work` started."""
    ours_s, idle_s = _ours_s(), _idle_s()
    work()
    ours_s, idle_s = _ours_s() - ours_s, _idle_s() - idle_s
    return ours_s / (ours_s + idle_s)


def _ours_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _idle_s() -> float:
    """Return the seconds that all cores together had nothing to do, or waited for a disk."""
    words = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(words[4]) + int(words[5])) / os.sysconf("SC_CLK_TCK")


def test_hardly_any_core_is_idle(swept: tuple[Sweep, float]) -> None:
    done, share = swept
    print(f"{share:.1%} of what others left of {os.cpu_count()} cores")
    assert len(done.refs()) == sweeping.COUNT and share >= BUSY


def test_three_kills_change_nothing(swept: tuple[Sweep, float], unswept: Path) -> None:
    again = Path(shutil.copytree(unswept, unswept.with_name("killed"), symlinks=True))
    sweeping.equals_after_three_kills(sweep(again), swept[0], most_s=20)
