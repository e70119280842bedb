"""ledger: the one table of what arrived and what became of it, reports/arrivals.csv, in plain git.

A line per arrival that was decided upon, in the order of time, pushed together with what it decided.
Columns: date_utc; arrival: its name; manifest: its hash (flows/inbox.py); study; outcome: promoted,
rejected, undecided or quarantined; version: the one it became, empty for none; opened: yes where the
acceptance set was scored; acceptance: first 12 digits of the sha256 of that list, so that openings
of one list are counted; reason: why it was not promoted. What was found (validate's table, the gate's
verdict) lies in reports/arrivals/<arrival>-<hash>/.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows import files, inbox, repository

TABLE = Path("reports/arrivals.csv")
FOUND = Path("reports/arrivals")
COLUMNS = (
    *("date_utc", "arrival", "manifest", "study", "outcome"),
    *("version", "opened", "acceptance", "reason"),
)
_REASON = 500  # characters: the tables hold the rest
Row = Mapping[str, str]


def parse(text: str, *, where: str = str(TABLE)) -> list[dict[str, str]]:
    """Return the lines of the table's text, none of an empty one; raise ValueError that names a bad one."""
    found = files.rows(text, COLUMNS, path=TABLE, where=where) if text else []
    for place, row in enumerate(found, 2):
        if row["outcome"] not in inbox.FOLDERS:
            known = ", ".join(inbox.FOLDERS)
            raise ValueError(
                f"{where}: line {place} has an outcome that is none of {known}: "
                f"restore it from git (`git log -- {TABLE}`)"
            )
    return found


def text(rows: Iterable[Row]) -> str:
    """Return the table's text."""
    return files.table(COLUMNS, rows)


def line(
    arrival: str, digest: str, study: str, outcome: str,
    *, version: str = "", opened: bool = False, acceptance: str = "", reason: str = "",
) -> dict[str, str]:  # fmt: skip
    """Return the line of an arrival that is decided upon now."""
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = " ".join(reason.split())
    words = words if len(words) <= _REASON else f"{words[: _REASON - 1]}…"
    return {
        "date_utc": now, "arrival": arrival, "manifest": digest, "study": study,
        "outcome": outcome, "version": version, "opened": "yes" if opened else "no",
        "acceptance": acceptance, "reason": words,
    }  # fmt: skip


def read(root: Path) -> list[dict[str, str]]:
    """Return the lines of a checkout's table, none without one."""
    path = root / TABLE
    return parse(path.read_text(encoding="utf-8")) if path.exists() else []


def at(revision: str, *, root: Path) -> list[dict[str, str]]:
    """Return the lines that a revision's table holds."""
    found = _show(revision, TABLE.as_posix(), root=root)
    return [] if found is None else parse(found, where=f"{revision}:{TABLE}")


def find(rows: Iterable[Row], digest: str, study: str) -> Row | None:
    """Return the line of these data in this study; None where they are new to it."""
    same = [row for row in rows if row["manifest"] == digest and row["study"] == study]
    return same[0] if same else None


def openings(rows: Iterable[Row], acceptance: str) -> int:
    """Return how often the acceptance set of these digits was scored."""
    return sum(row["opened"] == "yes" and row["acceptance"] == acceptance for row in rows)


def write(root: Path, row: Row, tables: Mapping[str, str]) -> list[str]:
    """Add a line to a checkout's table, its tables (texts by name) beside; return the paths written."""
    (root / TABLE).parent.mkdir(parents=True, exist_ok=True)
    files.write(root / TABLE, text([*read(root), row]))
    folder = FOUND / inbox.label(row["arrival"], row["manifest"])
    for name, content in tables.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        files.write(root / folder / name, content)
    return [TABLE.as_posix(), *(f"{folder.as_posix()}/{name}" for name in tables)]


def tables(row: Row, revision: str, *, root: Path) -> dict[str, str]:
    """Return what `write` put beside a line, as a revision holds it."""
    folder = f"{FOUND.as_posix()}/{inbox.label(row['arrival'], row['manifest'])}"
    paths = repository.git("ls-tree", "--name-only", "-z", revision, f"{folder}/", root=root)
    found = {path: _show(revision, path, root=root) for path in paths.split("\0") if path}
    return {Path(path).name: content for path, content in found.items() if content is not None}


def words(rows: Sequence[Row]) -> str:
    """Say what became of arrivals, a line each."""
    said = []
    for row in rows:
        after = row["version"] or row["reason"]
        said.append(f"{row['arrival']}: {row['outcome']}{f', {after}' if after else ''}")
    return "\n".join(said) or "nothing new"


def _show(revision: str, path: str, *, root: Path) -> str | None:
    """Return the text of a revision's file; None where it has none. Raises ValueError for the revision."""
    commit = repository.commit(revision, root=root)
    if not repository.git("ls-tree", "--name-only", commit, path, root=root).strip():
        return None
    return repository.git("show", f"{commit}:{path}", root=root)
