"""pipeline: what DVC runs; the others see names of stages, outcomes and lock entries.

What DVC keeps is the business of flows/store.py and flows/cache.py. DVC runs as a program of
`flows.processes`, so that ending it ends the stage too. A lock held by another DVC and a failed stage
have the same exit code, 255: only the text tells them apart. `python -m flows.pipeline` is the heart
of `make repro`: forget what is no longer listed, run what is out of date, order the lock file.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import heapq
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows import files, processes

HERE = Path()
LOCK_FILE = "dvc.lock"
REPORT = Path("reports/index.html")
# The folders that hold one entry per data set, run or model.
ITEM_FOLDERS = (
    *(
        "data/manifests",
        "data/searched",
        "data/pruned",
        "data/models",
        "data/explained",
        "data/exported",
    ),
    *(
        f"reports/{stage}"
        for stage in (
            "search",
            "transfer",
            "distill",
            "prune",
            "finish",
            "evaluate",
            "explain",
            "export",
        )
    ),
)
_LOCKED = ("Unable to acquire lock", "is busy, it is being blocked by")
_UNREACHABLE = ("timed out", "Connection", "Could not connect", "name resolution", "unreachable")


class Locked(RuntimeError):
    """Another DVC process holds the lock: waiting and trying again helps."""


class Failed(RuntimeError):
    """DVC or a stage failed: trying again does not help."""


class Unreachable(Failed):
    """A remote did not answer: here it may help."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage as DVC resolves it: `transfer@resnet18` for an item of a matrix."""

    name: str
    outs: tuple[str, ...]
    """paths that it writes, relative to the root"""
    needs: tuple[str, ...] = ()
    """stages whose outputs it reads, in topological order"""


def graph(root: Path = HERE) -> list[Stage]:
    """Return the stages in topological order; among equals, the order of dvc.yaml decides."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    os.environ["DVC_NO_ANALYTICS"] = "1"
    try:
        with contextlib.closing(Repo(str(root))) as repo:
            index = repo.index
            chosen = [stage for stage in index.stages if isinstance(stage, PipelineStage)]
            place = {id(stage): number for number, stage in enumerate(chosen)}
            needs = {  # edges run from a stage to what it depends on; raw data's pointers are no stages
                place[id(stage)]: {
                    place[id(other)]
                    for other in index.graph.successors(stage)
                    if id(other) in place
                }
                for stage in chosen
            }
            order = list(_topological(needs))
            return [
                Stage(
                    name=chosen[i].name,
                    outs=tuple(sorted(out.def_path for out in chosen[i].outs)),
                    needs=tuple(chosen[other].name for other in order if other in needs[i]),
                )
                for i in order
            ]
    except DvcException as error:
        raise Failed(f"dvc.yaml can't be read: {_chain(error)}") from None


def stages(root: Path = HERE) -> list[str]:
    """Return the names of the stages in DVC's order."""
    return [stage.name for stage in graph(root)]


def status(root: Path = HERE, *, current: Sequence[Stage] | None = None) -> dict[str, Any]:
    """Return what DVC says has changed, by stage; empty where every stage is up to date."""
    names = [stage.name for stage in current or graph(root)]
    return json.loads(_ask("--wait-for-lock", "status", "--json", *names, root=root))


def run(
    stage: str,
    *,
    root: Path = HERE,
    python: Path | None = None,
    say: Callable[[str], None] = print,
) -> str:
    """Bring one stage up to date, its ancestors taken as they are; return ran, restored or unchanged.

    Every line that DVC and the stage print goes to `say`. Raises Locked or Failed.
    """
    lines: list[str] = []
    command = [*_dvc(python), "--wait-for-lock", "repro", "-s", stage]
    with processes.session(command, root, environment(python), piped=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            say(lines[-1])
        code = process.wait()
    text = "\n".join(lines)
    if code:
        raise _error(text)
    if f"Running stage '{stage}'" in text:
        return "ran"
    return "restored" if "is cached - skipping run" in text else "unchanged"


def repro(
    *targets: str, root: Path = HERE, python: Path | None = None, force: bool = False
) -> None:
    """Run what is out of date, or with `force` everything and without the run cache; raise Failed.

    With `targets`, only those stages and what they depend on. DVC and the stages write to this
    process's own output, bars and all; `python` is the interpreter of another environment.
    """
    forced = ["-f", "--no-run-cache"] if force else []
    command = [*_dvc(python), "--wait-for-lock", "repro", *forced, *targets]
    with processes.session(command, root, environment(python)) as process:
        code = process.wait()
    if code:
        raise Failed("the pipeline stopped: the lines above say where; cure it and run again")


def update(*targets: str) -> None:
    """Do what `make repro` does: forget what no stage writes, run what is out of date, order the lock.

    With `targets`, only those stages and what they need. Raises Locked or Failed.
    """
    current = graph()
    known = [stage.name for stage in current]
    if strange := [target for target in targets if target not in known]:
        raise Failed(f"unknown stage {strange[0]!r}: known are {', '.join(known)}")
    for path in forget_removed_runs(current=current):
        print(f"removed {path}: no stage writes it any more", flush=True)
    repro(*targets)
    canonical_lock(current=current)


def environment(python: Path | None = None) -> dict[str, str]:
    """Return the environment for DVC: `python` in a stage's command means the environment's own."""
    folder = str((python or Path(sys.executable)).parent)
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{path}", "DVC_NO_ANALYTICS": "1"}


def forget_removed_runs(root: Path = HERE, *, current: list[Stage] | None = None) -> list[str]:
    """Remove the outputs and lock entries of stages that are no longer listed; return the paths.

    Besides what the lock file names, an entry of ITEM_FOLDERS that no stage writes goes: an
    interrupted run has no lock entry. A parent or a part of another stage's output stays.
    """
    current = current or graph(root)
    wanted = [out for stage in current for out in stage.outs]
    names = {stage.name for stage in current}
    lock = read_lock(root)
    gone = {name: entry for name, entry in lock.items() if name not in names}
    paths = {out["path"] for entry in gone.values() for out in entry.get("outs", [])}
    for folder in ITEM_FOLDERS:
        if (root / folder).is_dir():
            paths |= {f"{folder}/{path.name}" for path in (root / folder).iterdir()
                      if not path.name.startswith(".")}  # fmt: skip
    removed = []
    for path in sorted(paths):  # a folder comes before what it holds
        if any(_overlap(path, other) for other in wanted) or not (root / path).exists():
            continue
        if (root / path).is_dir() and not (root / path).is_symlink():
            shutil.rmtree(root / path)
        else:
            (root / path).unlink()
        removed.append(path)
    if gone:
        _rewrite_lock(root, lambda entries: [name for name in entries if name in names])
    return removed


def canonical_lock(root: Path = HERE, *, current: list[Stage] | None = None) -> bool:
    """Put the entries of dvc.lock into the order of the stages; tell whether the file changed.

    DVC appends entries as stages end, so a parallel run leaves another order. The text is DVC's
    own, so that a later run leaves the file alone.
    """
    place = {stage.name: number for number, stage in enumerate(current or graph(root))}
    return _rewrite_lock(
        root, lambda entries: sorted(entries, key=lambda x: place.get(x, len(place)))
    )


def read_lock(root: Path = HERE) -> dict[str, Any]:
    """Return the lock file's entries by stage, in the file's order; empty without a file."""
    path = root / LOCK_FILE
    return parse_lock(path.read_text(encoding="utf-8")) if path.exists() else {}


def parse_lock(text: str) -> dict[str, Any]:
    """Return the entries by stage of a lock file's text."""
    from dvc.utils.serialize import parse_yaml

    return dict(parse_yaml(text, LOCK_FILE).get("stages", {}))


def listing(root: Path, md5: str) -> dict[str, str] | None:
    """Return {path inside: md5} of a folder that the cache of `root` holds; None if it does not."""
    content = cached(root, md5)
    if content is None:
        return None
    return {file["relpath"]: file["md5"] for file in json.loads(content)}


def cached(root: Path, md5: str) -> bytes | None:
    """Return the contents that the cache of `root` holds under a hash; None if it does not."""
    from dvc.repo import Repo

    with contextlib.closing(Repo(str(root))) as repo:
        path = Path(repo.cache.local.path) / md5[:2] / md5[2:]
    return path.read_bytes() if path.exists() else None


def tree(root: Path, path: str) -> dict[str, str]:
    """Return {path inside: md5} of a folder of the working tree, as DVC counts its files."""
    from dvc.repo import Repo

    folder = (root / path).resolve()
    with contextlib.closing(Repo(str(root))) as repo:
        files = [Path(file) for file in repo.dvcignore.find(repo.fs, str(folder))]
    return {
        file.relative_to(folder).as_posix(): hashlib.md5(file.read_bytes()).hexdigest()  # noqa: S324
        for file in sorted(files)
    }


def add(path: str, root: Path = HERE) -> None:
    """Let DVC keep a raw data set: it writes `<path>.dvc` and copies the files into its cache."""
    _ask("add", "--quiet", path, root=root)


def share_cache(root: Path, *, of: Path) -> None:
    """Let the checkout `root` use the cache of another one."""
    from dvc.repo import Repo

    with contextlib.closing(Repo(str(of))) as repo:
        _ask("cache", "dir", "--local", repo.cache.local_cache_dir, root=root)


def _ask(*words: str, root: Path) -> str:
    """Run DVC quietly and return what it prints; raise Locked or Failed."""
    result = subprocess.run(
        [*_dvc(), *words],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise _error(result.stderr)
    return result.stdout


def _dvc(python: Path | None = None) -> list[str]:
    return [str(python or sys.executable), "-m", "dvc"]


def _topological(needs: dict[int, set[int]]) -> Iterator[int]:
    """Yield the nodes of a graph, each after what it needs, the smallest number first."""
    left = {node: set(others) for node, others in needs.items()}
    ready = [node for node, others in left.items() if not others]
    heapq.heapify(ready)
    while ready:
        node = heapq.heappop(ready)
        yield node
        for other, others in left.items():
            if node in others:
                others.discard(node)
                if not others:
                    heapq.heappush(ready, other)


def _overlap(one: str, other: str) -> bool:
    """Tell whether two paths are the same or one holds the other."""
    a, b = Path(one).parts, Path(other).parts
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def _rewrite_lock(root: Path, order: Callable[[list[str]], list[str]]) -> bool:
    """Keep the entries of dvc.lock that `order` returns, in that order; tell if the file changed.

    Under DVC's own lock (another run may be writing an entry) and with DVC's own dumper.
    """
    from dvc.repo import Repo, lock_repo
    from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update

    path = root / LOCK_FILE
    with contextlib.closing(Repo(str(root), _wait_for_lock=True)) as repo, lock_repo(repo):
        if not path.exists():
            return False
        tree = parse_yaml_for_update(path.read_text(encoding="utf-8"), str(path))
        entries = tree.get("stages", {})
        names = order(list(entries))
        if names == list(entries):
            return False
        if not names:
            path.unlink()
            return True
        tree["stages"] = {name: entries[name] for name in names}
        files.write(path, dumps_yaml(tree))
    return True


def _error(text: str) -> RuntimeError:
    """Make the exception that DVC's words call for."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [
        " ".join([line.removeprefix("ERROR: "), *_listed(line, lines[place:])])
        for place, line in enumerate(lines, 1)
        if "rror:" in line or "ERROR" in line
    ]
    words = "; ".join(dict.fromkeys(errors[-3:])) or "; ".join(lines[-3:]) or "DVC failed silently"
    if any(sign in text for sign in _LOCKED):
        return Locked(words)
    stage = "failed to run:" in text  # whatever it said of connections is its own affair
    return (
        Unreachable(words)
        if not stage and any(sign in words for sign in _UNREACHABLE)
        else Failed(words)
    )


def _listed(line: str, after: list[str]) -> list[str]:
    """Return what DVC lists, a line each, below an error that ends in a colon."""
    return list(itertools.takewhile(lambda x: "?" not in x, after)) if line.endswith(":") else []


def _chain(error: BaseException) -> str:
    """Join the words of an exception and its causes in one line."""
    words = []
    step: BaseException | None = error
    while step is not None:
        words.append(" ".join(str(step).split()))
        step = step.__cause__
    return ": ".join(dict.fromkeys(word for word in words if word))


def main() -> None:
    """Bring everything, or the stage named on the command line, up to date; say where the report is."""
    parser = argparse.ArgumentParser(prog="python -m flows.pipeline", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("target", nargs="?", help="run only up to this stage")
    target = parser.parse_args().target
    processes.terminate_as_interrupt()
    try:
        update(*([target] if target else []))
    except (Locked, Failed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept, run again to go on", file=sys.stderr)
        sys.exit(130)
    print(f"up to date up to {target}" if target else f"report: {REPORT}")


if __name__ == "__main__":
    main()
