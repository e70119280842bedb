"""The benchmark of whole runs: what is left, what it says, and (slow) the toy run in all ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import parallel
from tests.flows import toy


def rows(**seconds: float) -> list[parallel.Row]:
    names = dict(zip(("one", "two", "flow"), parallel.WAYS, strict=True))
    cells = {"recipe": "r", "round": "0", "same_lock": "yes", "cores": "2", "load": "0.1"}
    return [{**cells, "way": names[way], "seconds": str(x)} for way, x in seconds.items()]


def test_finished_runs_are_not_made_again_and_each_way_begins_once():
    plan = parallel.left([], 3)
    assert len(set(plan)) == 9
    assert [plan[3 * n][1] for n in range(3)] == list(parallel.WAYS)
    assert (0, "flow") not in parallel.left(rows(flow=1.0), 1)
    assert parallel.left(rows(one=1.0, two=1.0, flow=1.0), 1) == []
    assert parallel.left(rows(one=1.0, two=1.0, flow=1.0), 1, 3) == [(1, "flow"), (2, "flow")]


def test_it_says_whether_the_promise_holds():
    found = parallel.summary(rows(one=100.0, two=80.0, flow=70.0))
    assert "flow: 0.70 of the time of dvc, one process (as promised)" in found
    assert "flow: 0.88 of the time of dvc, two processes (0.75 was promised)" in found
    assert found[-1].startswith("dvc.lock as committed: 1 of 1 by dvc, one process, ")
    assert found[-1].endswith(", 1 of 1 by flow")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_toy_runs_in_all_ways_to_the_committed_bytes_and_once_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = toy.run(toy.make(tmp_path / "with a space"))
    toy.commit(root)
    found = parallel.sit(root, 1)
    assert {row["way"] for row in found} == set(parallel.WAYS)
    assert [row["same_lock"] for row in found] == ["yes"] * 3, capsys.readouterr().out
    assert capsys.readouterr().out.startswith("3 whole runs are left: about 24 minutes\n")
    assert parallel.sit(root, 1) == found
    assert capsys.readouterr().out.startswith("0 whole runs")
    assert toy.git(root, "status", "--porcelain").strip() == "?? reports/bench/"
    (root / "params.yaml").write_text((root / "params.yaml").read_text() + "# another study\n")
    toy.commit(root)
    assert parallel.read(root, parallel.recipe(root)) == []
