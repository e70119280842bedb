"""A sweep of 24 combinations, the program that runs it, and what it leaves; and a toy's sweep."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cxr import seeding
from tests.flows import toy

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


@dataclass(frozen=True)
class Sweep:
    """A sweep's file in a clone, the program that runs it, and what it keeps."""

    root: Path
    name: str = "toy"
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the sweep in a group of its own; what it says comes to `said`."""
        site = self.root.parent / "site"
        homes = {"DVC_SITE_CACHE_DIR": str(site), "PREFECT_HOME": str(self.root.parent / "prefect")}
        with self._words.open("w") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "flows.sweep", f"studies/{self.name}/sweep.yaml", *words],
                cwd=self.root, env={**os.environ, **homes, **self.environment}, text=True,
                start_new_session=True, stdout=file, stderr=file,
            )  # fmt: skip

    @property
    def _words(self) -> Path:
        return self.root.parent / f"{self.root.name}.words"

    def finish(self, *words: str, code: int = 0) -> str:
        """Let the sweep run to its end; return what it said."""
        found = self.start(*words).wait()
        said = self._words.read_text()
        assert found == code, said[-4000:]
        return said

    def kill(self, rng: np.random.Generator, *, most_s: float) -> dict[str, str]:
        """Kill the sweep some time after one to five more combinations are kept; return what is kept."""
        goal = len(self.refs()) + 1 + int(5 * rng.random())
        program = self.start()
        with program, contextlib.suppress(ProcessLookupError):
            while program.poll() is None and len(self.refs()) < goal:
                time.sleep(0.2)
            time.sleep(most_s * rng.random())
            os.killpg(program.pid, signal.SIGKILL)
        kept = self.refs()
        assert goal <= len(kept) < COUNT
        return kept

    def refs(self) -> dict[str, str]:
        """Return {combination: commit} of what is kept."""
        form = "--format=%(refname:lstrip=3) %(objectname)"
        lines = toy.git(self.root, "for-each-ref", form, f"refs/sweeps/{self.name}").splitlines()
        return dict(line.split() for line in lines)

    def left(self) -> dict[str, object]:
        """Return all that must not depend on interruptions: trees, commits, table and figure, worktrees."""
        reports = self.root / "reports/sweeps" / self.name
        commits = self.refs()
        return {
            "commits": commits,
            "locks": {one: toy.git(self.root, "show", f"{commit}:dvc.lock") for one, commit in commits.items()},
            "reports": {path.name: path.read_bytes() for path in sorted(reports.iterdir())},
            "worktrees": [path.name for path in sorted((self.root / ".worktrees").iterdir())],
            "known to git": len(toy.git(self.root, "worktree", "list").splitlines()),
            "changed": toy.git(self.root, "status", "--porcelain"),
        }  # fmt: skip


def make(root: Path, *, text: str = TEXT, fit: str = toy.FIT) -> Sweep:
    """Make a toy with a sweep, committed and never run."""
    toy.make(root, fit=fit)
    (root / "studies/toy/sweep.yaml").write_text(text)
    toy.commit(root)
    return Sweep(root)


def equals_after_three_kills(sweep: Sweep, uninterrupted: Sweep, *, most_s: float) -> None:
    """Kill a sweep three times and let it end: nothing is made twice, and all is as without kills."""
    rng = seeding.stream(0, "kills of a sweep")
    for _ in range(3):
        kept = sweep.kill(rng, most_s=most_s)
    said = sweep.finish()
    assert f"{COUNT} combinations, {len(kept)} of them finished" in said
    assert not [one for one in kept if f"{one}: kept" in said]  # none twice
    found = sweep.left()
    assert len(sweep.refs()) == COUNT
    assert found == uninterrupted.left()
