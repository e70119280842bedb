"""An audit passes honest results, names stage, file and cause of others, and passes over what it can't run."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from flows import draw, pipeline, record
from flows.causes import Cause
from flows.differences import Difference
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def module():
    """Import the flow; Prefect's own imports warn of what will go in later versions."""
    from flows import audit

    return audit


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where clones are made."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def one_by_one(stages: Sequence[pipeline.Stage], root: Path, python: Path):
    """Run stages without Prefect, up to the first that fails."""
    outcomes, errors = {stage.name: ("waiting", 0.0) for stage in stages}, []
    for stage in stages:
        try:
            outcomes[stage.name] = (pipeline.run(stage.name, root=root, python=python), 1.0)
        except pipeline.Failed as error:
            outcomes[stage.name] = ("failed", 0.0)
            return outcomes, [error]
    return outcomes, errors


def examine(root: Path, name: str = "HEAD"):
    known = {one.name: one for one in draw.combinations(root=root)}
    return module().examine(known[name], run=one_by_one, root=root)


@pytest.mark.slow
def test_an_honest_commit_and_an_honest_record_come_again(repository: Path, clones: Path):
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    folder = repository / record.folder("toy")
    folder.mkdir()
    for name in ("dvc.lock", "params.yaml"):
        shutil.copy(repository / name, folder / name)
    (folder / "record.json").write_text(json.dumps({"commit": head}))
    (repository / "dvc.lock").write_text("schema: '2.0'\n")  # the record's own lock counts
    commit = toy.commit(repository)
    found = examine(repository, "record toy")
    assert (found.outcome, found.difference, found.cause) == ("identical", None, None)
    assert found.commit == commit
    assert list(clones.iterdir()) == []
    assert toy.git(repository, "status", "--porcelain") == ""


@pytest.mark.slow
def test_code_that_draws_by_itself_is_the_cause(repository: Path, clones: Path):
    (repository / "stages" / "fit.py").write_text(toy.FIT_GLOBAL)
    toy.run(repository)
    toy.commit(repository)
    found = examine(repository)
    assert found.outcome == "differs"
    assert (found.difference.stage, found.difference.file) == (
        "fit@left",
        "data/models/left/weights.txt",
    )
    assert found.cause.kind == "code"
    assert "two runs of fit@left on this machine gave other bytes" in found.cause.words
    assert found.cause.unseen == ("the doctor's probes (not needed)", "the processor (not needed)")
    assert Path(found.clone).parent.parent == clones and Path(found.clone, "dvc.yaml").exists()


@pytest.mark.slow
def test_an_altered_hash_puts_the_record_in_doubt(repository: Path, clones: Path):
    path = repository / "dvc.lock"
    head, outs = path.read_text().split("  fit@right:")
    old = re.search(r"md5: ([0-9a-f]{32})\.dir\n(?=.*\n.*nfiles: 2\n    - path: reports)", outs)
    assert old is not None
    path.write_text(head + "  fit@right:" + outs.replace(old[1], "0" * 32))
    toy.commit(repository)
    found = examine(repository)
    assert (found.outcome, found.difference.stage) == ("differs", "fit@right")
    assert found.cause.kind == "record"
    assert found.cause.unseen == (
        "the doctor's probes (the commit has no cxr/doctor.py)",
        "the processor (no record says which it was)",
    )


@pytest.mark.slow
def test_a_stage_that_fails_is_named_with_what_it_said(repository: Path, clones: Path):
    (repository / "stages/fit.py").write_text("raise SystemExit('no such thing')\n")
    toy.commit(repository)
    found = examine(repository)
    assert found.outcome == "differs" and found.difference.stage == "fit@left"
    assert "fit@left failed: failed to reproduce 'fit@left'" in found.difference.line
    assert found.cause.kind == "code" and "another stages/fit.py" in found.cause.words


@pytest.mark.slow
def test_raw_data_are_pulled_or_passed_over_by_name(repository: Path, clones: Path):
    text = (repository / "dvc.yaml").read_text()
    deps = "      - stages/source.py\n"
    (repository / "dvc.yaml").write_text(text.replace(deps, f"{deps}      - data/raw/demo\n"))
    (repository / "data/raw/demo").mkdir(parents=True)
    (repository / "data/raw/demo/x.txt").write_text("x")
    pipeline.add("data/raw/demo", repository)
    toy.run(repository)
    toy.commit(repository)
    shutil.rmtree(repository / "data/raw/demo")
    assert examine(repository).outcome == "identical"
    assert not (repository / "data/raw/demo").exists()
    shutil.rmtree(repository / ".dvc/cache")
    found = examine(repository)
    assert (found.outcome, found.cause) == ("passed over", None)
    assert found.difference.line.startswith("data/raw/demo is missing in this checkout")
    assert list(clones.iterdir()) == []


def test_a_record_whose_code_is_lost_is_an_alarm(repository: Path, clones: Path):
    folder = repository / record.folder("toy")
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps({"commit": "0" * 40}))
    for name in ("dvc.lock", "params.yaml"):
        shutil.copy(repository / name, folder / name)
    toy.commit(repository)
    found = examine(repository, "record toy")
    assert found.outcome == "failed" and found.cause.kind == "record"
    assert "is no commit of this repository" in found.difference.line


def result(outcome: str, **more):
    return module().Result(name="HEAD", commit="1" * 40, outcome=outcome, seconds=1.4, **more)


FAULT = {
    "difference": Difference(stage="fit@left", file="data/x", line="fit@left: data/x differs"),
    "cause": Cause(kind="code", words="it draws", unseen=("the processor (not needed)",)),
    "clone": "/somewhere/clone",
}


def test_an_alarm_fails_and_is_told_to_the_server(monkeypatch):
    audit, told = module(), []
    monkeypatch.setattr(audit.tasks, "tell", lambda *facts: told.append(facts))
    audit.alarm([result("identical")])
    with pytest.raises(
        audit.Alarm, match=r"(?s)stage: fit@left.*file: data/x.*likely cause: code: it"
    ):
        audit.alarm([result("identical"), result("differs", **FAULT)])
    ((event, resource, facts),) = told
    assert (event, resource) == ("cxrepro.audit.failed", "cxrepro.audit.HEAD")
    assert facts["not looked at"] == "the processor (not needed)"

    def lost(*facts):
        raise pipeline.Unreachable("nobody hears of it")

    monkeypatch.setattr(audit.tasks, "tell", lost)
    with pytest.raises(audit.Alarm, match=r"(?s)stage: fit@left.*nobody hears of it"):
        audit.alarm([result("differs", **FAULT)])
    with pytest.raises(ValueError, match="nothing was audited"):
        audit.alarm([result("passed over")])


def test_what_was_audited_is_noted(tmp_path: Path):
    audit, path = module(), tmp_path / "reports/host/audits.csv"
    assert audit.audited(path) == []
    audit.note(path, result("identical"))
    audit.note(path, result("passed over"))
    audit.note(path, result("differs", **FAULT))
    assert audit.audited(path) == ["HEAD", "HEAD"]
    assert "identical,1," in path.read_text() and "code: it draws" in path.read_text()


@pytest.mark.slow
def test_the_flow_draws_runs_notes_and_raises_the_alarm(repository: Path, clones: Path):
    path = repository / "reports/evaluate/right/metrics.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.6"))
    toy.commit(repository)
    home = str(clones.parent / "prefect")
    places = {"PREFECT_HOME": home, "TMPDIR": str(clones)}
    said = toy.python(repository, "-m", "flows.audit", "--seed", "a", **places)
    assert said.returncode == 1, said.stderr[-3000:]
    assert "seed a; weights: HEAD 1" in said.stderr
    assert "python -m stages.fit left" in said.stderr  # the stages' words are in the log
    for line in (
        "error: stage: fit@right",
        "error: file: reports/evaluate/right/metrics.json",
        "error: likely cause: record: what was made is as dvc.lock says",
    ):
        assert line in said.stderr
    assert module().audited(repository / module().PAST) == ["HEAD"]
    with sqlite3.connect(Path(home) / "prefect.db") as database:
        (table,) = database.execute("select data from artifact where key = 'audit'").fetchone()
    database.close()
    assert "| HEAD |" in table and "differs" in table
