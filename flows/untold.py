"""untold: notes of decisions whose event may not have been sent, so that whoever dies in between is made up for.

A note stands before a decision is pushed and goes when it was told. The next run asks the ledger: a line
of these data was published, so it is told; without one nothing was, and there is nothing to tell. A
note is an empty file beside the worktrees, and its name says it all: it is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from flows import checkouts

_PREFIX = "untold."


@dataclass(frozen=True, kw_only=True)
class Note:
    """Data that are decided upon: the line that the ledger gets, and the branch where it will stand."""

    study: str
    manifest: str
    branch: str

    def path(self, clone: Path) -> Path:
        """Return the file that is the note."""
        words = (self.study, self.manifest, quote(self.branch, safe=""))
        return clone / checkouts.FOLDER / (_PREFIX + ".".join(words))

    def write(self, clone: Path) -> None:
        """Leave the note; it may be there already."""
        self.path(clone).parent.mkdir(exist_ok=True)
        self.path(clone).touch()

    def drop(self, clone: Path) -> None:
        """Remove the note."""
        self.path(clone).unlink(missing_ok=True)


def notes(clone: Path) -> Iterator[Note]:
    """Yield the notes of a clone that are left, sorted by name."""
    for path in sorted((clone / checkouts.FOLDER).glob(f"{_PREFIX}*")):
        study, manifest, branch = path.name.removeprefix(_PREFIX).split(".", 2)
        yield Note(study=study, manifest=manifest, branch=unquote(branch))
