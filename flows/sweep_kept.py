"""sweep_kept: what is finished of a sweep: a commit for each combination, on a ref of its own.

`refs/sweeps/<sweep>/<combination>` names a child of the sweep's commit with parameters, lock file and
reports. Refs are what flows/housekeeping.py keeps the data of, and `python -m flows.verify --rev
refs/sweeps/<sweep>/<combination>` proves one. Nobody's branch moves. Commits are dated as the sweep's
commit is: whoever makes the same results gets the same commits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows import checkouts, leash, leftovers, origin, pipeline, repository
from flows.sweep_file import Combination

REFS = "refs/sweeps"
_ENDING_S = 3 * leash.SECONDS_TO_END
_LOOK_S = 0.2


def label(name: str) -> str:
    """Return how the names of a sweep's worktrees begin; none begins as another sweep's do."""
    return f"sweep.{name}."


@contextlib.contextmanager
def alone(name: str, clone: Path) -> Iterator[None]:
    """Hold the one lock of a sweep, after which what a dead run left is removed; raise Locked if it is held.

    It falls with its holder, however that dies.
    """
    path = clone / checkouts.FOLDER / f"{label(name)}lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise pipeline.Locked(f"the sweep {name} is at work already, in {clone}") from None
        clear(name, clone)
        yield


def clear(name: str, clone: Path) -> None:
    """Remove a sweep's worktrees, and locks of its refs that a dead git left. Needs `alone`.

    What a dead run started ends by itself (flows/leash.py), but not at once.
    """
    common = clone / repository.git("rev-parse", "--git-common-dir", root=clone).strip()
    places = (clone / checkouts.FOLDER, common / "worktrees")
    deadline = time.monotonic() + _ENDING_S
    while folders := [
        x for place in places for x in sorted(place.glob(f"{label(name)}*")) if x.is_dir()
    ]:
        busy = [f"{x}: {who}" for x in folders if (who := leftovers.user(x))]
        if busy and time.monotonic() > deadline:
            raise pipeline.Locked(
                f"a dead run of the sweep {name} left something at work ({busy[0]})"
            )
        # by their names: git does not list one that is half made, and does not prune it
        for folder in folders if not busy else []:
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(_LOOK_S)
    for lock in sorted((common / REFS / name).glob("*.lock")):
        lock.unlink()


def finished(name: str, clone: Path) -> dict[str, tuple[str, str]]:
    """Return {combination: (its commit, the sweep's commit)} of a sweep, sorted."""
    form = "--format=%(refname:lstrip=3) %(objectname) %(parent)"
    lines = repository.git("for-each-ref", form, f"{REFS}/{name}", root=clone).splitlines()
    return {one: (commit, base) for one, commit, base in map(str.split, lines)}


def keep(name: str, one: Combination, folder: Path) -> str:
    """Commit what a worktree holds and put the sweep's ref on it; return the commit."""
    base = repository.commit("HEAD", root=folder)
    origin.git("add", "--all", root=folder)
    tree = origin.git("write-tree", root=folder).strip()
    seconds = origin.git("show", "--no-patch", "--format=%ct", base, root=folder).strip()
    about = {
        "sweep": name,
        "study": one.wanted.study,
        "set": dict(sorted(one.wanted.overrides.items())),
    }
    who = f"{origin.BOT['NAME']} <{origin.BOT['EMAIL']}> {seconds} +0000"
    head = f"tree {tree}\nparent {base}\nauthor {who}\ncommitter {who}\n"
    said = json.dumps(about, indent=2, ensure_ascii=False)
    text = f"{head}\nSweep {name}: {one.name}\n\n{said}\n"
    commit = origin.git("hash-object", "-t", "commit", "-w", "--stdin", root=folder, text=text)
    ref = f"{REFS}/{name}/{one.name}"
    repository.git("update-ref", "--no-deref", ref, commit.strip(), root=folder)
    return commit.strip()


def evaluations(commit: str, clone: Path) -> dict[str, dict[str, Any]]:
    """Return by model what stage `evaluate` said of it, as a commit holds it; sorted."""
    where = "reports/evaluate/"
    words = repository.git("ls-tree", "-r", "-z", "--name-only", commit, where, root=clone)
    paths = [path for path in words.split("\0") if path.endswith("/metrics.json")]
    return {
        path.split("/")[2]: json.loads(repository.git("show", f"{commit}:{path}", root=clone))
        for path in sorted(paths)
    }
