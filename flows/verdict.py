"""verdict: what `make verify` says of a claim that did not come again, on one page.

The differences in the order of the stages; of the first one the place inside the file, and the likely cause
with what was not looked at.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from flows import files, pipeline, places, record, repository
from flows.causes import Case, Cause
from flows.differences import Difference

PAGE = Path("reports/host/verify.md")
_SHOWN = 40
_NOT_HERE = (
    "the recorded contents are not here (`dvc pull` brings them), so no place in it can be named"
)


def place(case: Case, *, commit: str, root: Path) -> str:
    """Return where in its file the first difference is; empty if it is of no file."""
    made = case.clone / case.difference.file
    if not case.difference.file or case.difference.stale or not made.is_file():
        return ""
    recorded = _recorded(case, commit=commit, root=root)
    return (
        places.first(made.name, recorded, made.read_bytes()) if recorded is not None else _NOT_HERE
    )


def _recorded(case: Case, *, commit: str, root: Path) -> bytes | None:
    """Return the recorded contents: of a report the commit's, of data those in the cache of `root`."""
    inside = Path(case.difference.file)
    shown = subprocess.run(
        ["git", "show", f"{commit}:{inside.as_posix()}"], cwd=root, capture_output=True, check=False
    )  # repository.git reads text, and a figure is none
    if not shown.returncode:
        return shown.stdout
    for out in pipeline.parse_lock(case.lock).get(case.difference.stage, {}).get("outs", []):
        if not inside.is_relative_to(out["path"]):
            continue
        md5: str | None = out["md5"]
        if out["md5"].endswith(".dir"):
            listed = pipeline.listing(root, out["md5"]) or {}
            md5 = listed.get(inside.relative_to(out["path"]).as_posix())
        return pipeline.cached(root, md5) if md5 else None
    return None


def processor(revision: str, study: str | None, *, root: Path) -> str | None:
    """Return the processor that a study's record names at a revision; None for the default study."""
    if study is None:
        return None
    path = f"{revision}:{record.folder(study)}/host.json"
    try:
        found: str | None = json.loads(repository.git("show", path, root=root)).get("processor")
    except ValueError:
        return None
    return found


def words(found: Sequence[Difference], place: str, cause: Cause) -> list[str]:
    """Return the page's lines: the differences, and of the first one where and why."""
    many = f"{len(found)} differences, in the order of the stages:"
    lines = [many if found[1:] else "1 difference:", *map(str, found[:_SHOWN])]
    if found[_SHOWN:]:
        lines.append(f"and {len(found) - _SHOWN} more")
    if place:
        lines.append(f"first difference: {found[0].file}: {place}")
    lines.append(f"likely cause ({cause.kind}): {cause.words}")
    if cause.unseen:
        lines.append(f"not looked at: {'; '.join(cause.unseen)}")
    return lines


def keep(lines: Sequence[str], *, claim: str, root: Path) -> Path:
    """Write the page to reports/host/ and return its path."""
    path = root / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, "\n".join([f"# {claim}: not reproduced", "", *(f"- {x}" for x in lines), ""]))
    return path
