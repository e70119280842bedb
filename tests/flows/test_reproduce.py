"""The Prefect flow: its table, its retries, and (slow) the whole on a server of its own."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from flows import pipeline
from tests.flows import toy


def flow_module():
    """Import the flow; Prefect's own imports warn of what will go in later versions."""
    from flows import reproduce

    return reproduce


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_metrics_become_a_table():
    table = flow_module().table(
        {"a": {"auroc": {"value": 0.91234, "low": 0.8}, "macs": 12}, "b": {"macs": 3}}
    )
    assert table.splitlines() == [
        "| model | auroc.low | auroc.value | macs |",
        "|---|---|---|---|",
        "| a | 0.8 | 0.9123 | 12 |",
        "| b |  |  | 3 |",
    ]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("error", "again"), [(pipeline.Locked("busy"), True), (pipeline.Failed("no"), False)]
)
def test_only_a_held_lock_is_tried_again(error, again):
    class Ended:
        def result(self, raise_on_failure):
            return error

    module = flow_module()
    assert module.only_locks(module.run_stage, None, Ended()) is again


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_is_cached_by_prefect():
    module = flow_module()
    assert module.run_stage.cache_policy == module.NO_CACHE
    assert module.run_stage.persist_result is False


@pytest.mark.slow
def test_the_flow_runs_the_toy_on_a_server_of_its_own(tmp_path: Path):
    root = toy.make(tmp_path / "with a space")
    said = toy.python(root, "-m", "flows.reproduce", PREFECT_HOME=str(tmp_path / "prefect"))
    assert said.returncode == 0, said.stderr[-3000:]
    lines = said.stdout.splitlines()
    assert lines == [
        "source: ran",
        "fit@left: ran",
        "fit@right: ran",
        "compare: ran",
        "report: reports/index.html",
    ]
    assert "127.0.0.1" in said.stderr
    assert "python -m stages.fit left" in said.stderr  # the stages' words are in the log
    toy.commit(root)
    with sqlite3.connect(tmp_path / "prefect" / "prefect.db") as database:
        rows = database.execute("select key, data from artifact where key = 'metrics'").fetchall()
    database.close()
    assert "| left | 0.4 |" in json.loads(rows[0][1])

    (root / "stages" / "fit.py").write_text("raise SystemExit('no such thing')\n")
    said = toy.python(root, "-m", "flows.reproduce", PREFECT_HOME=str(tmp_path / "prefect"))
    assert said.returncode == 1
    assert "error: failed to reproduce 'fit@left'" in said.stderr
    assert "no such thing" in said.stderr
