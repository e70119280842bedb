"""A toy's sweep of 24 combinations, the program that runs it, and what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.flows import toy

FILE = "studies/toy/sweep.yaml"
TEXT = """\
about: the toy, and its numbers
study: toy
by: accuracy
grid:
  seed: [1, 2, 3, 4]
  runs:
    one: {transfer.runs: [left]}
    both: {transfer.runs: [left, right]}
  transfer.recipes.left.epochs: [1, 2, 3]
"""
COUNT = 24


def make(root: Path, *, text: str = TEXT, fit: str = toy.FIT) -> Path:
    """Make a toy with a sweep, committed and never run."""
    toy.make(root, fit=fit)
    (root / FILE).write_text(text)
    toy.commit(root)
    return root


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    """Start the sweep in a group of its own; its words come out of `stdout`."""
    environment = {
        **os.environ,
        "DVC_SITE_CACHE_DIR": str(root.parent / "site"),
        "PREFECT_HOME": str(root.parent / "prefect"),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "flows.sweep", FILE, *words],
        cwd=root, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def finish(root: Path, *words: str, code: int = 0) -> str:
    """Let the sweep run to its end; return what it said."""
    program = start(root, *words)
    said, _ = program.communicate()
    assert program.returncode == code, said[-4000:]
    return said


def refs(root: Path) -> dict[str, str]:
    """Return {combination: commit} of what is kept."""
    form = "--format=%(refname:lstrip=3) %(objectname)"
    lines = toy.git(root, "for-each-ref", form, "refs/sweeps/toy").splitlines()
    return dict(line.split() for line in lines)


def left(root: Path) -> dict[str, object]:
    """Return all that must not depend on interruptions: trees, commits, table and figure, worktrees."""
    reports = root / "reports/sweeps/toy"
    commits = refs(root)
    return {
        "commits": commits,
        "locks": {one: toy.git(root, "show", f"{commit}:dvc.lock") for one, commit in commits.items()},
        "reports": {path.name: path.read_bytes() for path in sorted(reports.iterdir())},
        "worktrees": [path.name for path in sorted((root / ".worktrees").iterdir())],
        "known to git": len(toy.git(root, "worktree", "list").splitlines()),
        "changed": toy.git(root, "status", "--porcelain"),
    }  # fmt: skip
