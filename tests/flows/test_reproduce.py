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


def stage(name: str, *needs: str) -> pipeline.Stage:
    return pipeline.Stage(name=name, outs=(), needs=needs)


GRAPH = [
    stage("raw"), stage("report"), stage("split", "raw"), stage("small", "split"),
    stage("large", "split"), stage("prune", "large"), stage("compare", "small", "prune"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_stages_are_ready_when_what_they_need_is_done_the_longest_way_first():
    module = flow_module()

    def ready(*done, begun=()):
        found = module.ready(GRAPH, {*done, *begun}, set(done))
        return [each.name for each in found]

    assert ready() == ["raw", "report"]
    assert ready("raw", begun=["report"]) == ["split"]
    assert ready("raw", "report", "split") == ["large", "small"]
    assert ready("raw", "report", "split", "small", begun=["large"]) == []
    assert ready("raw", "report", "split", "small", "large", "prune") == ["compare"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_command_line_asks_in_yaml(capsys):
    module = flow_module()
    found = module.asked(["--study", "toy", "--set", "seed=8", "--set", "transfer.runs=[left]"])
    assert found.study == "toy" and found.revision is None
    assert found.overrides == {"seed": 8, "transfer.runs": ["left"]}
    for words, fault in ((["--set", "seed"], "must be KEY=VALUE"), (["--study", "-"], "study")):
        with pytest.raises(SystemExit, match="2"):
            module.asked(words)
        assert fault in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_idle_is_what_has_not_changed_nor_anything_before_it():
    idle = flow_module().idle
    assert idle(GRAPH, {}) == {each.name for each in GRAPH}
    assert idle(GRAPH, {"large": ["changed"]}) == {"raw", "report", "split", "small"}
    assert idle(GRAPH, {"raw": [], "report": []}) == set()


# Notes when each run was at work, beside the checkout.
WATCHED = (
    toy.FIT
    + """
log = pathlib.Path("../times")
log.mkdir(exist_ok=True)
(log / f"{name} began").write_text(str(time.time()))
time.sleep(3)
(log / f"{name} ended").write_text(str(time.time()))
"""
)
# As above, but one run fails at once.
FAULTY = "import sys\nif sys.argv[1] == 'left': raise SystemExit('no such thing')\n" + WATCHED


@pytest.mark.slow
def test_the_flow_runs_the_toy_on_a_server_of_its_own(tmp_path: Path):
    root = toy.make(tmp_path / "with a space", fit=WATCHED)
    home = str(tmp_path / "prefect")
    said = toy.python(root, "-m", "flows.reproduce", PREFECT_HOME=home)
    assert said.returncode == 0, said.stderr[-3000:]
    ran = ["source: ran", "fit@left: ran", "fit@right: ran", "compare: ran"]
    assert said.stdout.splitlines() == [*ran, "report: reports/index.html"]
    assert "127.0.0.1" in said.stderr
    assert "python -m stages.fit left" in said.stderr  # the stages' words are in the log
    assert "proved: a plain `dvc repro` has nothing to do" in said.stderr
    times = {path.name: float(path.read_text()) for path in (tmp_path / "times").iterdir()}
    assert max(times["left began"], times["right began"]) < min(
        times["left ended"], times["right ended"]
    )
    assert list(pipeline.read_lock(root)) == ["source", "fit@left", "fit@right", "compare"]
    toy.commit(root)
    assert "| left | 0.4 |" in artifact(tmp_path, "metrics")
    assert "| fit@left | ran |" in artifact(tmp_path, "stages")

    wanted = ("--study", "toy", "--set", "transfer.runs=[left]", "--set", "seed=8")
    said = toy.python(root, "-m", "flows.reproduce", *wanted, PREFECT_HOME=home)
    assert said.returncode == 0, said.stderr[-3000:]
    assert "removed data/models/right" not in said.stdout
    report = Path(said.stdout.splitlines()[-1].removeprefix("report: "))
    assert report.parents[1].parent == root / ".worktrees" and "left" in report.read_text()
    assert toy.git(root, "status", "--porcelain") == ""
    assert "No longer there: right" in artifact(tmp_path, "metrics")

    (root / "stages" / "fit.py").write_text(FAULTY)
    said = toy.python(root, "-m", "flows.reproduce", PREFECT_HOME=home)
    assert said.returncode == 1
    assert "error: failed to reproduce 'fit@left'" in said.stderr
    assert "no such thing" in said.stderr
    for line in ("| fit@left | failed |", "| fit@right | ran |", "| compare | waiting |"):
        assert line in artifact(tmp_path, "stages")


def artifact(folder: Path, key: str) -> str:
    """Return the newest artifact of a key, as the server keeps it."""
    with sqlite3.connect(folder / "prefect" / "prefect.db") as database:
        rows = database.execute(
            "select data from artifact where key = ? order by created desc", [key]
        ).fetchall()
    database.close()
    found: str = json.loads(rows[0][0])
    return found
