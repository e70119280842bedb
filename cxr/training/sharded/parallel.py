"""The trainings of a run's folds: side by side, or one after the other by several processes each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from cxr import progress, workers
from cxr.training import folds, models, records
from cxr.training.sharded import worker
from cxr.training.sharded.meeting import Meeting, Plan
from cxr.training.sharded.team import Lost

_SECRET_BYTES = 16


def run(work: list[folds.Task], *, words: str, folder: Path) -> list[models.Saved]:
    """Train every fold that is not on record in `folder`, and put it there; the same bytes either way.

    Raises ValueError if a worker of a sharded training is lost: nothing is kept of that fold then.
    """
    paths = [folder / f"fold-{task.fold}.safetensors" for task in work]
    found = [records.read(path) for path in paths]
    left = [place for place, saved in enumerate(found) if saved is None]
    if len(left) < len(work):
        progress.say(f"{words}: {len(work) - len(left)} of {len(work)} folds are on record")
    for number, saved in _trained([work[place] for place in left], words=words):
        records.write(paths[left[number]], saved)
        found[left[number]] = records.read(paths[left[number]])
    return [saved for saved in found if saved is not None]


def _trained(work: list[folds.Task], *, words: str) -> Iterator[tuple[int, models.Saved]]:
    """Yield the place of each fold and its network, as they are finished."""
    if not work:
        return
    wanted = plan(work[0].recipe.shards, folds=len(work), environment=os.environ)
    if wanted is None:
        yield from workers.arrivals(folds.fit, work, words=words)
        return
    progress.say(
        f"{words}: {wanted.size} processes share the {work[0].recipe.shards} shards of a batch"
    )
    try:
        with Meeting(wanted, words=words) as meeting:
            for number, task in enumerate(work):
                yield number, _train(task, meeting, words)
    except Lost as error:
        raise ValueError(f"{words}: {error}: start again") from None


def _train(task: folds.Task, meeting: Meeting, words: str) -> models.Saved:
    try:
        meeting.give(task)
        return folds.fit(task, meeting.team)
    except Lost as error:
        raise ValueError(
            f"{words}: fold {task.fold} is not trained, {meeting.who_is_lost()} ({error}): start again"
        ) from None


def plan(shards: int, *, folds: int, environment: Mapping[str, str]) -> Plan | None:
    """Return who shares the shards of a batch; None if one process works on all of them.

    So it is on a Dask cluster, and where there are folds enough for every process of this machine:
    side by side they needn't wait for one another. Raises ValueError for settings that don't fit.
    """
    place = environment.get("CXR_JOIN_AT")
    if shards == 1 or (not place and environment.get("CXR_CLUSTER")):
        return None
    if not place:
        here = min(workers.count(), shards)
        if here == 1 or folds >= workers.count():
            return None
        return Plan("127.0.0.1", 0, os.urandom(_SECRET_BYTES), here - 1, 0)
    if environment.get("CXR_CLUSTER"):
        raise ValueError(
            "CXR_CLUSTER and CXR_JOIN_AT are both set: unset the one that is not meant"
        )
    host, port = worker.address(place)
    if host in ("0.0.0.0", "::", "*"):  # noqa: S104  it is refused
        raise ValueError(
            f"CXR_JOIN_AT must name this machine's address in the others' network, not {host}"
        )
    joining = environment.get("CXR_JOIN_WORKERS", "")
    if not joining.isdigit() or not 0 < int(joining) < shards:
        raise ValueError(
            f"CXR_JOIN_WORKERS must be the number of workers that join, 1 to {shards - 1} with "
            f"{shards} shards, not {joining!r}"
        )
    here = min(workers.count(), shards - int(joining))
    path = environment.get("CXR_JOIN_SECRET_FILE")
    if not path:
        raise ValueError(
            "CXR_JOIN_AT is set, but no CXR_JOIN_SECRET_FILE: make one with `openssl rand -hex 32`, "
            "chmod 600, and give the workers the same"
        )
    return Plan(host, port, secret(Path(path)), here - 1, int(joining))


def secret(path: Path) -> bytes:
    """Read a shared secret; raise ValueError if it is short or others can read it."""
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} is a secret, and others can read it: chmod 600 {path}")
    found = path.read_bytes().strip()
    if len(found) < _SECRET_BYTES:
        raise ValueError(
            f"{path} holds {len(found)} bytes, a secret needs {_SECRET_BYTES} or more: "
            "make one with `openssl rand -hex 32`"
        )
    return found
