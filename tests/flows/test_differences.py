"""What was made otherwise is told stage by stage, with the first file that differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import differences
from tests.flows import toy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REPORT = "reports/evaluate/right/metrics.json"


@pytest.fixture
def clone(repository: Path) -> Path:
    """A finished run, which serves as the clean clone where it was made again."""
    return repository


def found(clone: Path, lock: str, *, reports: bool = True) -> list[differences.Difference]:
    return differences.found(clone, lock=lock, reports=reports, root=clone)


def test_equal_results_differ_in_nothing(clone: Path) -> None:
    assert found(clone, (clone / "dvc.lock").read_text()) == []


def test_a_report_counts_only_if_the_commit_holds_it(clone: Path) -> None:
    lock = (clone / "dvc.lock").read_text()
    (clone / REPORT).write_text("{}")
    (clone / "stray").write_text("")
    (report, stray) = found(clone, lock)
    assert (report.stage, report.file, report.stale) == ("fit@right", REPORT, False)
    assert str(report) == f"fit@right: {REPORT} is not as committed"
    assert (stray.stage, str(stray)) == ("", "stray is not as committed, though no stage writes it")
    assert found(clone, lock, reports=False) == []


def test_entries_that_lack_or_are_of_other_code_are_stale(clone: Path) -> None:
    lock = (clone / "dvc.lock").read_text()
    head, rest = lock.split("  fit@left:")
    left, right = rest.split("  fit@right:")
    other = left.replace("path: stages/fit.py\n      hash: md5\n      md5: ", "path: stages/fit.py\n      hash: md5\n      md5: 0")  # fmt: skip
    assert other != left
    (code, lacking) = found(clone, f"{head}  fit@left:{other}" + right[right.index("  compare:") :])
    assert code.stale and lacking.stale
    assert code.line.startswith("fit@left: its lock entry is of another stages/fit.py (run")
    assert lacking.line.startswith("fit@right: dvc.lock has no entry for it")


def test_a_file_in_a_folder_is_named_and_a_stage_that_never_ended_left_out(clone: Path) -> None:
    recorded = (clone / "dvc.lock").read_text()
    (clone / "data/models/left/weights.txt").chmod(0o644)
    (clone / "data/models/left/weights.txt").unlink()
    (clone / "data/models/left/weights.txt").write_text("others")
    toy.python(clone, "-m", "dvc", "commit", "--force", "fit@left")
    made = (clone / "dvc.lock").read_text()
    assert made != recorded
    head, rest = made.split("  fit@right:")
    (clone / "dvc.lock").write_text(head + rest[rest.index("  compare:") :])
    (only,) = found(clone, recorded)
    assert (only.stage, only.file) == ("fit@left", "data/models/left/weights.txt")
    assert only.line.startswith("fit@left: data/models/left/weights.txt differs (recorded ")
