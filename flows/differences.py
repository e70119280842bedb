"""differences: what a run in a clean clone made otherwise than the lock file and the commit say.

Each names the first file that differs, since DVC's hash of a folder names none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import pipeline, repository


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that is not as claimed."""

    stage: str
    """empty where no stage writes the file"""
    file: str
    line: str
    """what people read, the names of stage and file in it"""
    stale: bool = False
    """the lock entry speaks of other code, parameters or versions than the commit holds"""

    def __str__(self) -> str:
        return self.line


def found(clone: Path, *, lock: str, reports: bool, root: Path) -> list[Difference]:
    """Return each thing in the clone that is not as recorded, in the order of the stages.

    `lock` is the text of the recorded lock file; with `reports` the commit holds the reports too;
    the cache of `root` knows the files of the recorded folders. A stage that never ended is left out.
    """
    expected = pipeline.parse_lock(lock)
    made = pipeline.read_lock(clone)
    changed = repository.changed(root=clone)
    lines: list[Difference] = []
    explained = {"params.yaml", pipeline.LOCK_FILE}
    for stage in pipeline.graph(clone):
        own = [path for path in changed if any(_inside(path, out) for out in stage.outs)]
        explained.update(own)
        if stage.name not in expected:
            line = f"{stage.name}: dvc.lock has no entry for it (run `make repro` and commit)"
            lines.append(_entry(stage.name, line))
            continue
        if stage.name not in made:
            continue
        lines += _outputs(stage, expected[stage.name], made[stage.name], clone, root)
        for path in own:
            if reports and not any((x.stage, x.file) == (stage.name, path) for x in lines):
                line = f"{stage.name}: {path} is not as committed"
                lines.append(Difference(stage=stage.name, file=path, line=line))
        lines += _inputs(stage.name, expected[stage.name], made[stage.name])
    names = {stage.name for stage in pipeline.graph(clone)}
    lines += [
        _entry(name, f"{name}: dvc.lock has an entry, but no such stage")
        for name in expected
        if name not in names
    ]
    rest = [path for path in changed if path not in explained and not path.startswith("data/raw/")]
    if reports:
        words = "is not as committed, though no stage writes it"
        lines += [Difference(stage="", file=path, line=f"{path} {words}") for path in rest]
    return lines


def _entry(stage: str, line: str) -> Difference:
    """Return the difference that a lock entry is."""
    return Difference(stage=stage, file=pipeline.LOCK_FILE, line=line, stale=True)


def _outputs(
    stage: pipeline.Stage, expected: dict[str, Any], found: dict[str, Any], clone: Path, root: Path
) -> Iterator[Difference]:
    """Yield a difference for each output whose hash is not the recorded one, naming the file in a folder."""
    recorded = {out["path"]: out for out in expected.get("outs", [])}
    made = {out["path"]: out for out in found.get("outs", [])}
    for path in sorted({*recorded, *made}):
        if recorded.get(path) != made.get(path):
            old, new = (_hash(entries.get(path)) for entries in (recorded, made))
            file, note = _file_in(clone, root, path, old) if ".dir" in old else (path, "")
            line = f"{stage.name}: {file}{note} differs (recorded {old}, made {new})"
            yield Difference(stage=stage.name, file=file, line=line)


def _hash(entry: dict[str, Any] | None) -> str:
    """Say a lock entry's hash and size."""
    return f"{entry['md5']}, {entry.get('size')} bytes" if entry else "nothing"


def _file_in(clone: Path, root: Path, path: str, recorded: str) -> tuple[str, str]:
    """Name the first file in which the folder `path` differs from its recorded listing, and add a note."""
    old = pipeline.listing(root, recorded.partition(",")[0])
    if old is None:
        return (
            path,
            " (a folder; this checkout's cache lacks the recorded one, so no file can be named)",
        )
    new = pipeline.tree(clone, path)
    for inside in sorted({*old, *new}):
        if old.get(inside) != new.get(inside):
            return f"{path}/{inside}", ""
    return path, (
        " (all files as this checkout's cache has them: the recorded hash itself is altered)"
    )


def _inputs(name: str, expected: dict[str, Any], found: dict[str, Any]) -> Iterator[Difference]:
    """Yield a difference if the recorded entry speaks of other code or parameters than the commit holds."""
    recorded = {dep["path"]: dep.get("md5") for dep in expected.get("deps", [])}
    used = {dep["path"]: dep.get("md5") for dep in found.get("deps", [])}
    stale = [
        path
        for path in sorted({*recorded, *used})
        if recorded.get(path) != used.get(path) and not path.startswith(("data/", "reports/"))
    ]
    if expected.get("params") != found.get("params"):
        stale.append("params.yaml")
    if expected.get("cmd") != found.get("cmd"):
        stale.append("dvc.yaml")
    if stale:
        words = f"its lock entry is of another {', '.join(stale)} (run `make repro` and commit)"
        yield _entry(name, f"{name}: {words}")


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
