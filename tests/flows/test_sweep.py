"""A sweep ends as it would have without its kills, tells what failed, and begins nothing that can't run."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from tests.flows import sweeping, toy
from tests.flows.sweeping import Sweep

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
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A toy that was swept at one go; not to be changed."""
    toys = sweeping.make(tmp_path_factory.mktemp("sweep") / "with a space")
    shutil.copytree(toys.root, toys.root.with_name("unswept"), symlinks=True)
    toys.finish()
    return toys


def copied(root: Path, folder: Path) -> Sweep:
    """Return the sweep in a copy of a clone."""
    return Sweep(Path(shutil.copytree(root, folder / "toy", symlinks=True)))


def test_a_sweep_that_is_killed_three_times_equals_one_that_is_not(uninterrupted: Sweep, tmp_path: Path) -> None:  # fmt: skip
    again = copied(uninterrupted.root.with_name("unswept"), tmp_path)
    sweeping.equals_after_three_kills(again, uninterrupted, most_s=2)


def test_a_finished_sweep_runs_nothing_and_what_it_kept_is_proved(uninterrupted: Sweep, tmp_path: Path) -> None:  # fmt: skip
    again = copied(uninterrupted.root, tmp_path)
    before = again.left()
    said = again.finish()
    assert "24 of them finished" in said and ": ran" not in said and "preflight" not in said
    assert again.left() == before
    one = sorted(again.refs())[0]
    proof = toy.python(again.root, "-m", "flows.verify", "--rev", f"refs/sweeps/toy/{one}")
    assert proof.returncode == 0, proof.stderr
    assert "outputs of" in proof.stdout and "identical" in proof.stdout
    toy.git(again.root, "commit", "-q", "--allow-empty", "-m", "newer code")
    said = again.finish(code=1)
    assert "were made at commit" in said and "--anew" in said
    base = toy.git(again.root, "rev-parse", "HEAD~1").strip()
    assert "24 of them finished" in again.finish("--revision", base)


def test_what_fails_stands_in_the_table_and_the_others_finish(tmp_path: Path) -> None:
    toys = sweeping.make(tmp_path / "with a space", text=SMALL, fit=FAULTY)
    said = toys.finish(code=1)
    assert "error: 1 combinations failed, first" in said
    assert "fit@right: no such thing" in said
    with (toys.root / "reports/sweeps/toy/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["model"], row["fault"]) for row in rows] == [
        ("1", "right", ""), ("1", "left", ""), ("1", "left", ""), ("2", "left", ""),
        ("2", "", "fit@right: no such thing"),
    ]  # fmt: skip
    assert len(toys.refs()) == 3
    (folder,) = [path for path in (toys.root / ".worktrees").iterdir() if path.is_dir()]
    assert f"kept for a look until the sweep runs again: {folder}" in said
    again = toys.finish(code=1)
    assert "4 combinations, 3 of them finished" in again


def test_wrong_combinations_are_told_in_one_table_before_anything_runs(tmp_path: Path) -> None:
    text = SMALL.replace("[left, right]]", "[left, middle]]").replace("seed: [1, 2]", "seed: [1]")
    toys = sweeping.make(tmp_path / "with a space", text=f"{text}list: [{{sed: 3}}, {{study: toys}}]\n")  # fmt: skip
    (toys.root / "stages/__main__.py").write_text(
        "import sys, yaml\n"
        "if 'middle' in yaml.safe_load(open('params.yaml'))['transfer']['runs']:\n"
        "    sys.exit('error: transfer.runs: middle is unknown')\n"
    )
    toy.commit(toys.root)
    said = toys.finish(code=1)
    assert "3 combinations can't run, so nothing was begun" in said
    for words in (
        "| transfer.runs: middle is unknown |",
        "| sed: 3 | overrides: sed is unknown: known there are study, seed,",
        "| study: toys | unknown study 'toys': known are toy |",
    ):
        assert words in said, words
    assert ": ran" not in said and toys.refs() == {}
    assert not [path for path in (toys.root / ".worktrees").iterdir() if path.is_dir()]
