"""sweep_plan: what every combination of a sweep would run, checked before the first of them runs.

Each gets its params.yaml in a worktree of the sweep's commit, the preflight looks at it, and DVC
resolves its stages. A stage's key is the hash of its command, its parameters and the keys of what it
needs: all combinations stand on one commit, so that equal keys mean equal results, and one run is
enough for all of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from flows import checkouts, files, pipeline, request, study, summaries
from flows.pipeline import Stage
from flows.sweep_file import Combination

DVC = threading.Lock()
"""Held by whoever uses DVC's own functions, or adds and removes worktrees: neither likes company."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A combination that may run."""

    combination: Combination
    params: str
    """text of params.yaml"""
    stages: Sequence[Stage]
    keys: dict[str, str]
    """by stage"""


def plan(
    chosen: Sequence[Combination], commit: str, *, label: str, workers: int,
    say: Callable[[str], None], root: Path = pipeline.HERE,
) -> list[Plan]:  # fmt: skip
    """Return a plan for each combination; raise ValueError with one table of all that is wrong.

    `label` begins the names of the worktrees that serve for it and are gone afterwards.
    """
    if not chosen:
        return []
    say(f"looking at the parameters of {len(chosen)} combinations")
    folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
    found: dict[str, Plan | list[str]] = {}

    def look(one: Combination) -> None:
        folder = folders.get()
        try:
            found[one.name] = _plan(one, folder, root)
        except (ValueError, pipeline.Failed) as error:
            found[one.name] = str(error).splitlines() or [type(error).__name__]
        finally:
            folders.put(folder)

    with contextlib.ExitStack() as held:
        for number in range(min(workers, len(chosen))):
            folder = checkouts.add(f"{label}preflight-{number}", commit, root=root)
            held.callback(checkouts.remove, folder, root=root)
            folders.put(folder)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(look, chosen))
    if faults := [one for one in chosen if isinstance(found[one.name], list)]:
        raise ValueError(_table(faults, found))
    return [one for each in chosen if isinstance(one := found[each.name], Plan)]


def _plan(one: Combination, folder: Path, root: Path) -> Plan:
    python = checkouts.interpreter(folder, root=root)
    request.write(one.wanted, folder, python)
    checkouts.preflight(folder, python)
    with DVC:
        stages = pipeline.graph(folder)
        found = keys(folder, stages)
    text = (folder / study.PARAMS_FILE).read_text(encoding="utf-8")
    return Plan(combination=one, params=text, stages=stages, keys=found)


def _table(faulty: Sequence[Combination], found: dict[str, Plan | list[str]]) -> str:
    """Return everything that is wrong as a table, a line for each fault; nothing has run."""
    rows = []
    for one in faulty:
        words = ", ".join(f"{key}: {value}" for key, value in one.labels.items())
        said = found[one.name]
        for fault in said if isinstance(said, list) else []:
            cells = (one.name, words or "the study itself", fault.removeprefix("error: "))
            rows.append(dict(zip(("combination", "sets", "fault"), cells, strict=True)))
    text = files.table(("combination", "sets", "fault"), rows)
    count = f"{len(faulty)} combinations can't run" if faulty[1:] else "one combination can't run"
    return f"{count}, so nothing was begun:\n{summaries.findings(text)}"


def keys(root: Path, stages: Sequence[Stage]) -> dict[str, str]:
    """Return by stage what its results depend on besides the commit, as a hash."""
    from dvc.repo import Repo
    from dvc.stage import PipelineStage

    with contextlib.closing(Repo(str(root))) as repo:
        own = {
            stage.name: [stage.cmd, [[x.def_path, x.read_params()] for x in stage.params]]
            for stage in repo.index.stages
            if isinstance(stage, PipelineStage)
        }
    found: dict[str, str] = {}
    for stage in stages:  # what it needs comes before it
        about = [stage.name, own[stage.name], [found[name] for name in stage.needs]]
        text = json.dumps(about, sort_keys=True, default=str)
        found[stage.name] = hashlib.sha256(text.encode()).hexdigest()
    return found
