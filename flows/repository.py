"""repository: what the flows ask git, as plain functions over `git` on the path."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path()


def git(*arguments: str, root: Path = HERE) -> str:
    """Return what git prints; raise ValueError with its complaint."""
    # without hooks: `dvc install` makes one that runs DVC wherever files are checked out
    command = ["git", "-c", "core.quotePath=false", "-c", "core.hooksPath=/dev/null", *arguments]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        words = " ".join(result.stderr.split())
        raise ValueError(f"git {arguments[0]}: {words or 'failed'}")
    return result.stdout


def commit(revision: str, *, root: Path = HERE) -> str:
    """Return the full commit of a branch, tag or shortened commit."""
    try:
        return git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", root=root).strip()
    except ValueError:
        raise ValueError(f"{revision!r} is no commit of this repository: try `git log`") from None


def changed(*, root: Path = HERE) -> list[str]:
    """Return the paths that differ from HEAD or that git does not know, ignored ones aside; sorted."""
    words = git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", root=root)
    return sorted(entry[3:] for entry in words.split("\0") if entry)


def worktrees(*, root: Path = HERE) -> list[Path]:
    """Return every checkout that git lists, the clone itself first, those whose folder is gone too."""
    words = git("worktree", "list", "--porcelain", "-z", root=root).split("\0")
    return [Path(word.removeprefix("worktree ")) for word in words if word.startswith("worktree ")]
