"""verify: run a commit, or a study's record, again in a clean clone and compare every byte.

The clone has an empty DVC cache and no run cache: `dvc repro -f --no-run-cache` makes every output
anew. What proves something is the comparison with the recorded lock entries, since DVC itself says
"up to date" about whatever its lock file holds. The first stage and file that differ are named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import (
    cache,
    causes,
    champion,
    checkouts,
    differences,
    guard,
    pipeline,
    processes,
    record,
    repository,
    study,
    verdict,
)


class MissingData(ValueError):
    """Raw data that a claim's stages read are neither in this checkout nor known to DVC here."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What is to be proved: the code of a commit gives these outputs from these parameters."""

    commit: str
    params: str
    """text of params.yaml"""
    lock: str
    """text of dvc.lock"""
    reports: bool
    """whether the commit also holds the reports of these parameters"""


def claim(*, revision: str | None, name: str | None, root: Path = pipeline.HERE) -> Claim:
    """Return the claim of a revision (HEAD without one) or of a study's record."""
    if name is None:
        commit = repository.commit(revision or "HEAD", root=root)
        params = repository.git("show", f"{commit}:params.yaml", root=root)
        lock = repository.git("show", f"{commit}:{pipeline.LOCK_FILE}", root=root)
        return Claim(commit=commit, params=params, lock=lock, reports=True)
    if revision is None and name not in study.known():
        raise ValueError(f"unknown study {name!r}: known are {', '.join(study.known()) or 'none'}")
    folder = record.folder(name)
    if revision is None and not (root / folder / "record.json").exists():
        raise ValueError(f"{folder} holds no record: run `make record STUDY={name}` first")
    texts = {}
    for file in ("record.json", "params.yaml", "dvc.lock"):
        texts[file] = (
            repository.git(
                "show", f"{repository.commit(revision, root=root)}:{folder}/{file}", root=root
            )
            if revision
            else (root / folder / file).read_text(encoding="utf-8")
        )
    commit = repository.commit(json.loads(texts["record.json"])["commit"], root=root)
    return Claim(commit=commit, params=texts["params.yaml"], lock=texts["dvc.lock"], reports=False)


def prepare(clone: Path, claim: Claim, *, root: Path) -> None:
    """Make the clone: the commit's files, the claim's parameters and lock, an empty cache of its own."""
    guard.check_commit(claim.commit, root=root)
    # --shared reads git's objects in place, so that a commit on no branch can be proved too
    repository.git("clone", "--quiet", "--shared", "--no-checkout", str(root.resolve()), str(clone))
    repository.git("checkout", "--quiet", "--detach", claim.commit, root=clone)
    (clone / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n", encoding="utf-8")
    (clone / "params.yaml").write_text(claim.params, encoding="utf-8")
    (clone / pipeline.LOCK_FILE).write_text(claim.lock, encoding="utf-8")
    for path in _raw(clone, claim.params):
        pointers = _pointers(clone, path)
        why = cache.bring(list(pointers), clone, of=root) if pointers else ""
        if pointers and not why:
            continue
        if not all((root / name).exists() for name in (path, *pointers.values())):
            raise MissingData(
                f"{path} is missing in this checkout: {_cure(path)}, then verify again"
                f"{f' ({why})' if why else ''}"
            )
        _link(root / path, clone / path)


def _cure(path: str) -> str:
    """Say how data come here that no stage makes."""
    if path == champion.FOLDER.as_posix():
        return f"run `dvc pull {path}.dvc` in a checkout of that commit"
    return f"run `make data DATASET={Path(path).parts[2]} FROM=<the downloaded folder>`"


def _pointers(clone: Path, path: str) -> dict[Path, str]:
    """Return {pointer: what it names} of the commit's pointers to this raw data, or to parts of it."""
    names = {
        pointer: pointer.with_suffix("").relative_to(clone) for pointer in checkouts.pointers(clone)
    }
    return {
        pointer: name.as_posix()
        for pointer, name in names.items()
        if name.is_relative_to(path) or Path(path).is_relative_to(name)
    }


def _raw(clone: Path, params: str) -> list[str]:
    """Return the data that the clone's stages read and no stage writes, sorted."""
    entries = pipeline.read_lock(clone).values()
    made = {out["path"] for entry in entries for out in entry.get("outs", [])}
    read = {dep["path"] for entry in entries for dep in entry.get("deps", [])}
    read |= set(_words(study.parse(params)))
    chosen = {
        path
        for path in read - made
        if path.startswith("data/raw/") or path == champion.FOLDER.as_posix()
    }
    return sorted(
        path for path in chosen if not any(Path(other) in Path(path).parents for other in chosen)
    )


def _words(node: Any) -> Iterator[str]:
    """Yield every word in a tree of parameters."""
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _words(value)
    elif isinstance(node, str):
        yield node


def _link(source: Path, target: Path) -> None:
    """Bring a file or folder into the clone, by hard links where the disk allows it."""

    def link(one: str, other: str) -> str:
        try:
            os.link(one, other)
        except OSError:
            shutil.copyfile(one, other)
        return other

    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)
    else:
        link(str(source), str(target))


def run(clone: Path, *, python: Path) -> None:
    """Check the clone's parameters and run its whole pipeline, every output made anew."""
    checkouts.preflight(clone, python)
    pipeline.forget_removed_runs(clone)
    pipeline.repro(root=clone, python=python, force=True)


def verify(*, revision: str | None, name: str | None, root: Path = pipeline.HERE) -> str:
    """Prove a revision or a study's record; return the result line, raise ValueError with the differences."""
    start = time.monotonic()
    wanted = claim(revision=revision, name=name, root=root)
    print(
        f"verify: commit {wanted.commit[:12]}{f', study {name}' if name else ''}, in a clean clone",
        flush=True,
    )
    folder = Path(tempfile.mkdtemp(prefix="cxrepro-verify-"))
    clone = folder / "clone"
    # DVC's notes on files go beside the clone too: nothing stays behind elsewhere
    os.environ["DVC_SITE_CACHE_DIR"] = str(folder / "site")
    checkouts.use_key(root)
    try:
        prepare(clone, wanted, root=root)
        python = checkouts.interpreter(clone, root=root)
        run(clone, python=python)
        found = differences.found(clone, lock=wanted.lock, reports=wanted.reports, root=root)
        if found:
            raise ValueError("\n".join(_page(found, wanted, clone, python, name=name, root=root)))
    except BaseException:
        print(f"verify: the clone is kept in {clone}", file=sys.stderr)
        raise
    stages = pipeline.graph(clone)
    shutil.rmtree(folder)
    outputs = sum(len(stage.outs) for stage in stages)
    seconds = time.monotonic() - start
    return f"verify: {outputs} outputs of {len(stages)} stages identical ({seconds:.0f} s)"


def _page(
    found: list[differences.Difference], wanted: Claim, clone: Path, python: Path, *,
    name: str | None, root: Path,
) -> list[str]:  # fmt: skip
    """Say what differs, of the first difference where and why, and keep it as a page too."""
    print("verify: not the same: looking for the place and the cause", flush=True)
    case = causes.Case(
        clone=clone, python=python, lock=wanted.lock, difference=found[0], failed=False,
        processor=verdict.processor(wanted.commit, name, root=root),
    )  # fmt: skip
    where = verdict.place(case, commit=wanted.commit, root=root)
    lines = verdict.words(found, where, causes.likely(case))
    page = verdict.keep(lines, claim=f"commit {wanted.commit[:12]}{f', study {name}' if name else ''}", root=root)  # fmt: skip
    return [*lines, f"this page: {page}"]


def main() -> None:
    """Verify what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m flows.verify", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rev", help="a commit, branch or tag; HEAD without it")
    parser.add_argument("--study", help="prove this study's record, on the commit it names")
    arguments = parser.parse_args()
    processes.terminate_as_interrupt()
    try:
        print(verify(revision=arguments.rev, name=arguments.study))
    except (ValueError, OSError, pipeline.Failed, pipeline.Locked) as error:
        for line in str(error).splitlines():
            print(f"verify: {line}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("verify: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
