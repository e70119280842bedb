"""A sweep ends as it would have without its kills, tells what failed, and begins nothing that can't run."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from cxr import seeding
from tests.flows import sweeping, toy

pytestmark = pytest.mark.slow

FAULTY = (
    toy.FIT
    + """
if name == "right" and "2" in text:
    sys.exit("fit@right: error: no such thing")
"""
)
SMALL = """\
study: toy
by: accuracy
grid:
  seed: [1, 2]
  transfer.runs: [[left], [left, right]]
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy that was swept at one go; not to be changed."""
    root = sweeping.make(tmp_path_factory.mktemp("sweep") / "with a space")
    shutil.copytree(root, root.with_name("unswept"), symlinks=True)
    sweeping.finish(root)
    return root


def test_a_sweep_that_is_killed_three_times_equals_one_that_is_not(uninterrupted: Path, tmp_path: Path) -> None:  # fmt: skip
    root = Path(shutil.copytree(uninterrupted.with_name("unswept"), tmp_path / "toy", symlinks=True))  # fmt: skip
    rng = seeding.stream(0, "kills of a sweep")
    for kill in range(3):
        goal = len(sweeping.refs(root)) + 1 + int(5 * rng.random())
        program = sweeping.start(root)
        with program, contextlib.suppress(ProcessLookupError):
            while program.poll() is None and len(sweeping.refs(root)) < goal:
                time.sleep(0.2)
            time.sleep(2 * rng.random())
            os.killpg(program.pid, signal.SIGKILL)
        kept = sweeping.refs(root)
        assert goal <= len(kept) < sweeping.COUNT, kill
    said = sweeping.finish(root)
    assert f"{sweeping.COUNT} combinations, {len(kept)} of them finished" in said
    assert not [one for one in kept if f"{one}: kept" in said]  # none twice
    found = sweeping.left(root)
    assert len(found["commits"]) == sweeping.COUNT  # type: ignore[arg-type]
    assert found == sweeping.left(uninterrupted)


def test_a_finished_sweep_runs_nothing_and_what_it_kept_is_proved(uninterrupted: Path, tmp_path: Path) -> None:  # fmt: skip
    root = Path(shutil.copytree(uninterrupted, tmp_path / "toy", symlinks=True))
    before = sweeping.left(root)
    said = sweeping.finish(root)
    assert "24 of them finished" in said and ": ran" not in said and "preflight" not in said
    assert sweeping.left(root) == before
    one = sorted(sweeping.refs(root))[0]
    proof = toy.python(root, "-m", "flows.verify", "--rev", f"refs/sweeps/toy/{one}")
    assert proof.returncode == 0, proof.stderr
    assert "outputs of" in proof.stdout and "identical" in proof.stdout
    toy.git(root, "commit", "-q", "--allow-empty", "-m", "newer code")
    said = sweeping.finish(root, code=1)
    assert "were made at commit" in said and "--anew" in said
    base = toy.git(root, "rev-parse", "HEAD~1").strip()
    assert "24 of them finished" in sweeping.finish(root, "--revision", base)


def test_what_fails_stands_in_the_table_and_the_others_finish(tmp_path: Path) -> None:
    root = sweeping.make(tmp_path / "with a space", text=SMALL, fit=FAULTY)
    said = sweeping.finish(root, code=1)
    assert "error: 1 combinations failed, first" in said
    assert "fit@right: no such thing" in said
    with (root / "reports/sweeps/toy/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["model"], row["fault"]) for row in rows] == [
        ("1", "right", ""), ("1", "left", ""), ("1", "left", ""), ("2", "left", ""),
        ("2", "", "fit@right: no such thing"),
    ]  # fmt: skip
    assert len(sweeping.refs(root)) == 3
    (folder,) = [path for path in (root / ".worktrees").iterdir() if path.is_dir()]
    assert f"kept for a look until the sweep runs again: {folder}" in said
    again = sweeping.finish(root, code=1)
    assert "4 combinations, 3 of them finished" in again


def test_wrong_combinations_are_told_in_one_table_before_anything_runs(tmp_path: Path) -> None:
    text = SMALL.replace("[left, right]]", "[left, middle]]").replace("seed: [1, 2]", "seed: [1]")
    root = sweeping.make(tmp_path / "with a space", text=f"{text}list: [{{sed: 3}}, {{study: toys}}]\n")  # fmt: skip
    (root / "stages/__main__.py").write_text(
        "import sys, yaml\n"
        "if 'middle' in yaml.safe_load(open('params.yaml'))['transfer']['runs']:\n"
        "    sys.exit('error: transfer.runs: middle is unknown')\n"
    )
    toy.commit(root)
    said = sweeping.finish(root, code=1)
    assert "3 combinations can't run, so nothing was begun" in said
    for words in (
        "| transfer.runs: middle is unknown |",
        "| sed: 3 | overrides: sed is unknown: known there are study, seed,",
        "| study: toys | unknown study 'toys': known are toy |",
    ):
        assert words in said, words
    assert ": ran" not in said and sweeping.refs(root) == {}
    assert not [path for path in (root / ".worktrees").iterdir() if path.is_dir()]
