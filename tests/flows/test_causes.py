"""The first look that finds something names the cause, and what was not looked at is said."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from flows import causes, record
from flows.differences import Difference
from tests.flows import toy

LOCK = """\
schema: '2.0'
stages:
  ingest@demo:
    cmd: python -m stages.ingest demo
    deps:
    - path: data/raw/demo
      hash: md5
      md5: {raw}
    - path: stages/ingest.py
      hash: md5
      md5: {code}
    outs:
    - path: data/manifest.csv
      hash: md5
      md5: {out}
"""
CODE = "print('ingest')\n"
DOCTOR = "import sys\nprint('conv_forward    same\\nclahe           {word}')\nsys.exit({code})\n"


def lock(raw: str = "a", out: str = "b", code: str = CODE) -> str:
    md5 = hashlib.md5(code.encode()).hexdigest()
    return LOCK.format(raw=raw * 32, out=out * 32, code=md5)


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> causes.Case:
    """Bytes that differ, in a clone where a second run gives the same ones again."""
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/ingest.py").write_text(CODE)
    (tmp_path / "dvc.lock").write_text(lock(out="c"))
    (tmp_path / "requirements.lock").write_text((toy.ROOT / "requirements.lock").read_text())

    def run(stage: str, **options: object) -> str:
        (tmp_path / "dvc.lock").write_text(lock(out="c"))
        return "ran"

    monkeypatch.setattr(causes.pipeline, "run", run)
    return causes.Case(
        clone=tmp_path, python=Path(causes.pipeline.sys.executable), lock=lock(),
        difference=Difference(stage="ingest@demo", file="data/manifest.csv", line="differs"),
        failed=False, processor=record.processor(),
    )  # fmt: skip


def test_without_any_fault_the_record_is_in_doubt(case):
    found = causes.likely(case)
    assert found.kind == "record"
    assert found.words == (
        "no fault found in: raw data, code and parameters, installed versions, committed files, "
        "a second run, the processor; so the recorded hash itself is in doubt"
    )
    assert found.unseen == ("the doctor's probes (the commit has no cxr/doctor.py)",)
    assert (case.clone / "dvc.lock").read_text() == lock(out="c")


def test_other_raw_data_are_the_cause_and_the_rest_is_not_looked_at(case):
    found = causes.likely(replace(case, lock=lock(raw="d")))
    assert found.kind == "data"
    assert found.words.startswith(
        "ingest@demo read another data/raw/demo than recorded (recorded dd"
    )
    assert found.unseen[0] == "code and parameters (not needed)" and len(found.unseen) == 6


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("ingest@demo: its lock entry is of another stages/ingest.py", "code"),
        ("ingest@demo: its lock entry is of another numerics.lock", "environment"),
    ],
)
def test_an_entry_of_something_else_is_the_cause(case, line, kind):
    stale = Difference(stage="ingest@demo", file="dvc.lock", line=line, stale=True)
    found = causes.likely(replace(case, difference=stale))
    assert found.kind == kind and line in found.words


def test_the_code_of_a_stage_that_failed_is_compared_with_its_entry(case):
    assert not causes.entries(replace(case, failed=True)).kind
    found = causes.likely(replace(case, failed=True, lock=lock(code="other")))
    assert found.kind == "code" and "another stages/ingest.py" in found.words


def test_a_failure_without_a_fault_is_the_machines(case):
    found = causes.likely(replace(case, failed=True))
    assert found.kind == "environment" and "memory, disk or another program" in found.words
    assert "a second run (the stage failed)" in found.unseen


def test_other_versions_are_the_cause(case):
    (case.clone / "requirements.lock").write_text("numpy==0.0.1\nruff==0.0.1\n")
    found = causes.likely(case)
    assert found.kind == "environment"
    assert found.words.endswith("instead of 0.0.1") and "numpy" in found.words
    assert "ruff" not in found.words


def test_a_committed_file_that_no_run_made_is_the_cause(case):
    (case.clone / "dvc.lock").write_text(lock())
    found = causes.likely(case)
    assert found.kind == "record" and "changed after the run" in found.words


def test_two_runs_that_differ_make_the_code_the_cause(case, monkeypatch):
    def run(stage: str, **options: object) -> str:
        (case.clone / "dvc.lock").write_text(lock(out="e"))
        return "ran"

    monkeypatch.setattr(causes.pipeline, "run", run)
    found = causes.likely(case)
    assert found.kind == "code" and "other bytes in data/manifest.csv" in found.words


@pytest.mark.parametrize(
    ("processor", "kind"), [(None, "hardware"), ("Another", "hardware"), ("this", "profile")]
)
def test_probes_that_differ_blame_the_processor_or_the_profile(case, processor, kind):
    (case.clone / "cxr").mkdir()
    (case.clone / "cxr/__init__.py").write_text("")
    (case.clone / causes.DOCTOR).write_text(DOCTOR.format(word="DIFFERS", code=1))
    same = record.processor() if processor == "this" else processor
    found = causes.likely(replace(case, processor=same))
    assert found.kind == kind and "in clahe, on " in found.words


def test_a_healthy_doctor_leaves_the_processor(case):
    (case.clone / "cxr").mkdir()
    (case.clone / "cxr/__init__.py").write_text("")
    (case.clone / causes.DOCTOR).write_text(DOCTOR.format(word="same", code=0))
    found = causes.likely(replace(case, processor="Another"))
    assert found.kind == "hardware" and found.words.startswith("recorded on Another, here ")
    assert found.unseen == ()
