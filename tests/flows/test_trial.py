"""A trial's parts: what is the data's fault and what is not, and pins that only grow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows import pipeline, trial
from flows.trial import Unfit, Wanted
from tests.flows import arriving

HERE = Path(sys.executable)
STAGE = pipeline.Stage(name="validate", outs=("data/manifest.csv", "reports/validate/plots"))


def failing(*lines: str, error: Exception) -> trial.Hands:
    """Return hands whose every stage says these lines and fails."""

    def stage(name: str, folder: Path, python: Path, hear: Callable[[str], None]) -> str:
        for line in lines:
            hear(line)
        raise error

    return replace(trial.plain(), stage=stage, say=lambda line: None)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["> python -m stages.merge", "merge: error: no such label", "ERROR: failed"], "no such label"),
        (["ingest@table: error: row 3", "row 4", "", "ERROR: failed to reproduce"], "row 3 row 4"),
        (["Traceback (most recent call last):", "KeyError: 'label'"], None),
        ([], None),
    ],
)  # fmt: skip
def test_a_refusal_is_told_from_a_traceback(lines: list[str], words: str | None) -> None:
    assert trial.complaint(lines) == words


def check_one(folder: Path, hands: trial.Hands, stage: pipeline.Stage = STAGE) -> None:
    trial._check_one(stage, folder, HERE, hands)


def test_what_a_stage_refuses_is_the_datas_fault_and_comes_with_its_table(tmp_path: Path) -> None:
    table = tmp_path / trial.FINDINGS
    table.parent.mkdir(parents=True)
    table.write_text("finding\nunreadable\n")
    hands = failing("validate: error: 1 critical finding", error=pipeline.Failed("exited with 1"))
    with pytest.raises(Unfit, match="validate: 1 critical finding") as refused:
        check_one(tmp_path, hands)
    assert refused.value.findings == "finding\nunreadable\n"
    other = pipeline.Stage(name="merge", outs=("data/manifest.csv",))
    with pytest.raises(Unfit) as refused:
        check_one(tmp_path, hands, other)
    assert refused.value.findings == ""  # the table is of an earlier run


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("Traceback (most recent call last):", pipeline.Failed("exited with 1")),
        ("validate: error: a.csv: No space left on device", pipeline.Failed("exited with 1")),
        ("validate: error: 1 critical finding", pipeline.Unreachable("timed out")),
        ("validate: error: 1 critical finding", pipeline.Locked("busy")),
    ],
)
def test_a_fault_of_the_machine_is_no_fault_of_the_data(
    tmp_path: Path, line: str, error: Exception
) -> None:
    with pytest.raises(type(error)) as raised:
        check_one(tmp_path, failing(line, error=error))
    assert not isinstance(raised.value, Unfit)


def surveyed(folder: Path, program: str) -> dict[str, object]:
    (folder / "stages").mkdir(exist_ok=True)
    (folder / "stages/__main__.py").write_text(program)
    return trial.survey("table", folder, folder, HERE)


def test_the_worktrees_own_reader_looks_at_the_data(tmp_path: Path) -> None:
    assert surveyed(tmp_path, 'print(\'{"words": "2 images", "digest": "d"}\')') == {
        "words": "2 images", "digest": "d",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"^no labels\.csv here$"):
        surveyed(tmp_path, "import sys; sys.exit('error: no labels.csv\\nhere')")
    with pytest.raises(pipeline.Failed, match="the reader of table broke: KeyError: 'x'"):
        surveyed(tmp_path, "{}['x']")


def test_a_study_that_can_not_be_retrained_is_refused_before_anything_runs(tmp_path: Path) -> None:
    wanted, params = Wanted(inbox=tmp_path, study="toy"), tmp_path / "params.yaml"
    for gate, datasets, words in (
        ("[]", "[table]", r"gate\.models of study toy is empty"),
        ("[net]", "[phantom]", "does not read the data set table, but phantom: add it"),
    ):
        params.write_text(
            f"study: toy\ngate: {{models: {gate}}}\ningest: {{datasets: {datasets}}}\n"
        )
        with pytest.raises(ValueError, match=words):
            trial.check_study(wanted, tmp_path)
    params.write_text("study: toy\ngate: {models: [net]}\ningest: {datasets: [phantom, table]}\n")
    trial.check_study(wanted, tmp_path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"study": "../x"}, "study"), ({"manifest": "abc"}, "manifest"), ({"settle_s": -1}, "settle_s"),
        ({"branch": "-x"}, "branch"), ({"days": 3}, "days"), ({"dataset": "a b"}, "dataset"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(
    tmp_path: Path, wrong: dict[str, object], words: str
) -> None:
    Wanted(inbox=tmp_path, study="toy")
    with pytest.raises(ValueError, match=words):
        Wanted.model_validate({"inbox": tmp_path, "study": "toy", **wrong})


def test_the_toys_programs_are_python(tmp_path: Path) -> None:
    """A toy whose stage does not compile would look like quarantine."""
    for text in (
        arriving.PREFLIGHT,
        arriving.VALIDATE,
        arriving.SPLIT,
        arriving.TRANSFER,
        arriving.GATE,
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"compile({text!r}, 'x', 'exec')"], check=False
        )
        assert done.returncode == 0
