"""Two people at once, in one checkout or in two that share a cache: nobody's result is lost or another's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.proof import clones

pytestmark = pytest.mark.slow

BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
APART_S = 6.0


def both(*roots):
    """Let `make repro` begin in each, one a moment after the other; return what each said in the end."""
    with ThreadPoolExecutor(len(roots)) as people:
        runs = []
        for root in roots:
            runs.append(people.submit(clones.make, root, "repro"))
            time.sleep(APART_S)
        return [run.result() for run in runs]


def test_in_one_checkout_each_ends_well_or_is_told_who_works_there(whole, tmp_path):
    root = clones.small(tmp_path / "clone")
    ends = both(root, root)
    assert any(end.returncode == 0 for end in ends), ends[0].stderr[-3000:]
    for said in (end.stdout + end.stderr for end in ends if end.returncode):
        assert any(words in said for words in BUSY), said[-3000:]
        assert "Traceback" not in said
    assert clones.reproduced(root) == (whole / "dvc.lock").read_bytes()


def test_two_checkouts_that_share_a_cache_give_the_same(whole, tmp_path):
    roots = [clones.small(tmp_path / name / "clone") for name in ("one", "two")]
    for root in roots:
        clones.dvc(root, "cache", "dir", "--local", str(tmp_path / "cache"))
    for root, end in zip(roots, both(*roots), strict=True):
        assert end.returncode == 0, end.stdout[-3000:] + end.stderr[-3000:]
        assert (root / "dvc.lock").read_bytes() == (whole / "dvc.lock").read_bytes()
