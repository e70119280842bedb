"""review: one Markdown and one HTML page on what a change does: causes, parameters, data, metrics, figures.

Two commits are compared, or one and the working tree. Here stands what git and DVC know of them: which
stages changed and because of what. `python -m cxr.review` holds the numbers side by side and writes the
pages; they are for people, below reports/host, which git and DVC ignore.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from flows import changes, command, pipeline, processes, repository, sides

OUT = Path("reports/host/review")
DATA = ("data/raw/", "data/manifest.csv", "data/manifests/", "data/splits.csv", "data/prepared")
CODE = Path(__file__).resolve().parents[1]


def gather(base: str, head: str | None, folder: Path, *, root: Path = pipeline.HERE) -> None:
    """Fill `folder`: both sides below base/ and head/, and changes.json with what led from one to the other.

    `head` None is the working tree. Raises ValueError for an unknown revision or a side without dvc.lock.
    """
    for name, revision in (("base", base), ("head", head)):
        sides.take_out(revision, folder / name, root=root)
        if not (folder / name / pipeline.LOCK_FILE).is_file():
            raise ValueError(
                f"{revision or 'the working tree'} has no {pipeline.LOCK_FILE}: nothing was run "
                "there, so there is nothing to compare; name a commit with results"
            )
    before, after = sides.read(folder / "base"), sides.read(folder / "head")
    found = changes.compare(before, after, files=_differing(base, head, root))
    about = {
        "base": _about(base, root),
        "head": _about(head, root),
        "apart": _apart(base, head, root),
        "stale": {name: sides.stale(folder / name) for name in ("base", "head")},
        "data": {"base": _data(before), "head": _data(after)},
        "stages": [dataclasses.asdict(change) for change in found],
        "same": len([name for name in after.entries if after.entries[name] == before.entries.get(name)]),
    }  # fmt: skip
    (folder / "changes.json").write_text(json.dumps(about), encoding="utf-8")


def _data(side: sides.Side) -> dict[str, str]:
    """Return {path: hash} of the data that a side's stages read and made up to the prepared images."""
    entries = side.entries.values()
    found = {k: v for x in entries for key in ("deps", "outs") for k, v in sides.md5s(x, key).items()}  # fmt: skip
    return {path: found[path] for path in sorted(found) if path.startswith(DATA)}


def review(base: str, head: str | None, out: Path, *, root: Path = pipeline.HERE) -> None:
    """Write the pages into `out`; raise ValueError that says what can't be compared."""
    with tempfile.TemporaryDirectory(prefix="cxrepro-review-") as name:
        folder = Path(name)
        gather(base, head, folder, root=root)
        words = [sys.executable, "-m", "cxr.review", name, "--out", str((root / out).resolve())]
        with processes.session(words, CODE, pipeline.environment()) as process:
            if process.wait():
                raise ValueError("the pages were not written: the lines above say why")


def _differing(base: str, head: str | None, root: Path) -> list[str]:
    """Return the paths that differ between the two; head None is the working tree, new files too."""
    commits = [repository.commit(revision, root=root) for revision in (base, head) if revision]
    words = repository.git("diff", "--name-only", "-z", *commits, root=root)
    found = [name for name in words.split("\0") if name]
    return found if head else sorted({*found, *repository.changed(root=root)})


def _about(revision: str | None, root: Path) -> dict[str, Any]:
    """Say which commit a side is; the working tree, what it stands on."""
    commit = repository.commit(revision or "HEAD", root=root)
    subject = repository.git("show", "--no-patch", "--format=%s", commit, root=root).strip()
    dirty = revision is None and bool(repository.changed(root=root))
    return {"commit": commit, "subject": subject, "name": revision or "", "uncommitted": dirty}


def _apart(base: str, head: str | None, root: Path) -> int:
    """Return how many commits the base has that the head has not: their work looks undone here."""
    span = f"{repository.commit(head or 'HEAD', root=root)}..{repository.commit(base, root=root)}"
    return int(repository.git("rev-list", "--count", span, root=root))


def main() -> None:
    """Compare what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m flows.review", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("base", help="commit, branch or tag that the change starts from")
    parser.add_argument("--head", help="commit with the change; the working tree without it")
    parser.add_argument("--out", type=Path, default=OUT, help=f"folder of the pages ({OUT})")
    given = parser.parse_args()
    with command.telling(interrupted=command.NOTHING_HALF):
        review(given.base, given.head, given.out)


if __name__ == "__main__":
    main()
