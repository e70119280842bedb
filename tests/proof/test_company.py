"""Two people at once, in one checkout or in two that share a cache: nobody's result is lost or another's."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows import pipeline
from tests.proof import clones

pytestmark = pytest.mark.slow

BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
APART_S = 6.0


def both(*roots):
    """Let `make repro` begin in each, one a moment after the other; return what each said in the end."""
    with ThreadPoolExecutor(len(roots)) as people:
        runs = []
        for root in roots:
            runs.append(people.submit(clones.make, root, *clones.up_to_the_searched(root)))
            time.sleep(APART_S)
        return [run.result() for run in runs]


def as_alone(root, small) -> bool:
    """Tell whether the lock has the entries of a run without company."""
    found, wanted = (pipeline.read_lock(folder) for folder in (root, small))
    return "search@" in "".join(found) and found == {name: wanted[name] for name in found}


def test_in_one_checkout_each_ends_well_or_is_told_who_works_there(small, tmp_path):
    root = clones.small(tmp_path / "clone")
    ends = both(root, root)
    assert any(end.returncode == 0 for end in ends), ends[0].stderr[-3000:]
    for said in (end.stdout + end.stderr for end in ends if end.returncode):
        assert any(words in said for words in BUSY), said[-3000:]
        assert "Traceback" not in said
    clones.reproduced(root, *clones.up_to_the_searched(root))
    assert as_alone(root, small)


def test_two_checkouts_that_share_a_cache_give_the_same(small, tmp_path):
    roots = [clones.small(tmp_path / name / "clone") for name in ("one", "two")]
    for root in roots:
        clones.dvc(root, "cache", "dir", "--local", str(tmp_path / "cache"))
    for root, end in zip(roots, both(*roots), strict=True):
        assert end.returncode == 0, end.stdout[-3000:] + end.stderr[-3000:]
        assert as_alone(root, small)
