"""checkouts: other checkouts of this repository, so that nobody's own is touched.

A worktree of git with the cache of DVC that this checkout uses: what was ever made here is restored
there, and what is made there is kept here; raw data that the cache lacks come off the DVC remote. It
stands in `.worktrees/`, which neither git nor DVC look into, until `remove`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows import cache, guard, key, pipeline, repository

FOLDER = Path(".worktrees")


def add(name: str, revision: str, *, root: Path = pipeline.HERE) -> Path:
    """Return a new worktree of a revision, with all that its pointers name; leave none behind on an error.

    Raises ValueError for an unknown revision or a name in use, Unreachable if data are nowhere.
    """
    folder = (root / FOLDER / name).resolve()
    if folder.exists():
        raise ValueError(f"{FOLDER / name} is there already: remove it with `git worktree remove`")
    commit = repository.commit(revision, root=root)
    guard.check_commit(commit, root=root)
    try:
        repository.git(*("worktree", "add", "--quiet", "--detach", str(folder), commit), root=root)
        local = root / ".dvc" / "config.local"
        if local.exists():  # remotes and their credentials
            shutil.copy(local, folder / ".dvc" / "config.local")
        pipeline.share_cache(folder, of=root)
        bring(pointers(folder), folder, of=root)
    except BaseException:
        remove(folder, root=root)
        raise
    return folder


def pointers(folder: Path) -> list[Path]:
    """Return the pointers of a checkout to data that no stage makes, sorted: raw data and the gate's champion."""
    return sorted({*(folder / "data").glob("*.dvc"), *(folder / "data/raw").rglob("*.dvc")})


def bring(wanted: Sequence[Path], folder: Path, *, of: Path) -> None:
    """Bring what pointers name out of the cache of `of`, or else from the DVC remote; raise Unreachable."""
    if wanted and (why := cache.bring(wanted, folder, of=of)):
        raise pipeline.Unreachable(f"{', '.join(path.name for path in wanted)}: {why}")


def remove(folder: Path, *, root: Path = pipeline.HERE) -> None:
    """Remove a worktree and what git knows of it, half-made ones too."""
    shutil.rmtree(folder, ignore_errors=True)
    repository.git("worktree", "prune", root=root)


def interpreter(folder: Path, *, root: Path = pipeline.HERE) -> Path:
    """Return a Python with the checkout's own locked versions: this one if they are the same."""
    if _pins(folder) == _pins(root):
        return Path(sys.executable)
    print("the commit has other versions: setting them up", flush=True)
    environment = {
        name: value for name, value in os.environ.items() if name not in ("VENV", "MAKEFLAGS")
    }
    result = subprocess.run(["make", "setup"], cwd=folder, env=environment, check=False)
    if result.returncode:
        raise ValueError(f"`make setup` failed in {folder}")
    return folder / ".venv" / "bin" / "python"


def _pins(folder: Path) -> list[str]:
    """Return the lines of a lock file that say what is installed: the others say for whose sake."""
    lines = (folder / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.lstrip().startswith("#")]


def preflight(folder: Path, python: Path) -> None:
    """Check a checkout's parameters and data; raise ValueError with what is wrong."""
    result = subprocess.run(
        [str(python), "-m", "stages", "--check"],
        cwd=folder,
        env=pipeline.environment(python),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ValueError(result.stderr.strip() or f"the preflight failed in {folder}")


def use_key(root: Path = pipeline.HERE) -> None:
    """Let stages of other checkouts use this one's key: other pseudonyms are other bytes."""
    if (root / key.KEY).is_file():
        os.environ.setdefault("CXR_PATIENT_KEY_FILE", str((root / key.KEY).resolve()))
