"""turns: the arrivals of an inbox, one after the other, each in a worktree of its own at the remote's branch.

What was decided is pushed first, as one commit with the ledger's line, and tags where a model was
promoted; then the arrival leaves the inbox. Whoever dies before the push leaves the old state, whoever
dies after it leaves a known arrival that the next run puts away, and a note of what it did not tell any
more (flows/untold.py). This checkout is never touched: of its repository only remote-tracking refs and
the registry's tags change.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from flows import (
    checkouts,
    data,
    inbox,
    ledger,
    origin,
    pipeline,
    registry,
    repository,
    store,
    study,
    trial,
    untold,
)
from flows.inbox import Arrival
from flows.ledger import Row
from flows.trial import Hands, Judged, Wanted

NAME = "retrain-"
"""How the names of our worktrees begin."""
LOCK = checkouts.FOLDER / "retrain.lock"
ATTEMPTS = 3
"""How often an arrival is tried again because someone else published meanwhile."""
_FOLDER = re.compile(r"[0-9a-f]{32}\.dir")  # the MD5 by which DVC knows a folder
_DEAD_S = 60  # git holds the lock of a ref for milliseconds
EVENTS = {
    "promoted": "cxrepro.model.promoted",
    "rejected": "cxrepro.gate.rejected",
    "undecided": "cxrepro.gate.rejected",
    "quarantined": "cxrepro.arrival.quarantined",
}


def work(wanted: Wanted, hands: Hands, *, root: Path = pipeline.HERE) -> list[Row]:
    """Decide upon every arrival that is whole, the oldest first; return the ledger's new lines.

    What goes wrong with one does not keep the others from their turn and is raised at the end; a
    remote that does not answer, or a lock that is held, ends it at once.
    """
    clone = origin.home(root)
    hands.remote(registry.check, clone, branch=wanted.branch)
    decided: list[Row] = []
    faults: list[Exception] = []
    with alone(clone, hands):
        sweep(clone, wanted.branch)
        make_up(clone, hands)
        for arrival in chosen(wanted, clone, hands):
            try:
                row = settle(arrival, wanted, clone, hands)
            except (pipeline.Unreachable, pipeline.Locked):
                raise
            except (pipeline.Failed, ValueError, OSError) as error:
                hands.say(f"{arrival.name} stays in the inbox: {error}")
                faults.append(error)
            else:
                decided += [row] if row else []
    if faults:
        raise faults[0]
    return decided


@contextlib.contextmanager
def alone(clone: Path, hands: Hands) -> Iterator[None]:
    """Hold the one lock of a clone; wait for whoever has it. It falls with its holder, however that dies."""
    (clone / LOCK).parent.mkdir(exist_ok=True)
    with (clone / LOCK).open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            hands.say("another retraining of this clone is at work: waiting for it to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(clone: Path, branch: str) -> None:
    """Remove what dead runs left: their worktrees, and locks of refs that nobody holds. Needs `alone`."""
    common = clone / repository.git("rev-parse", "--git-common-dir", root=clone).strip()
    # by their names: git does not list one that is half made, and does not prune it
    for place in (clone / checkouts.FOLDER, common / "worktrees"):
        for folder in sorted(place.glob(f"{NAME}*")):
            shutil.rmtree(folder, ignore_errors=True)
    for lock in (common / f"refs/remotes/origin/{branch}.lock", common / "packed-refs.lock"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > _DEAD_S:
                lock.unlink()


def make_up(clone: Path, hands: Hands) -> None:
    """Tell what dead runs published and did not live to tell. Needs `alone`."""
    for note in untold.notes(clone):
        branch = f"origin/{note.branch}"
        row = None
        if f"refs/heads/{note.branch}" in hands.remote(origin.refs, clone):  # or it is gone
            hands.remote(registry.bring, clone, name=note.study, branch=note.branch)
            row = ledger.find(ledger.at(branch, root=clone), note.manifest, note.study)
        if row is not None:
            hands.say(f"{row['arrival']} was {row['outcome']} on {row['date_utc']}: telling it now")
            hands.tell(EVENTS[row["outcome"]], row, ledger.tables(row, branch, root=clone))
        note.drop(clone)


def chosen(wanted: Wanted, clone: Path, hands: Hands) -> list[Arrival]:
    """Return the arrivals to decide upon, the oldest first.

    With a manifest's hash, that one and those that may be it: of pointers it is known later. Raises
    ValueError if there is none and no line of the ledger either.
    """
    # whoever knows the hash has seen the end
    settle_s = 0.0 if wanted.manifest else wanted.settle_s
    found = inbox.waiting(wanted.inbox, settle_s=settle_s)
    if wanted.manifest is None:
        return found
    same = [x for x in found if x.is_pointer or inbox.manifest(x.path) == wanted.manifest]
    if not same:
        hands.remote(registry.bring, clone, name=wanted.study, branch=wanted.branch)
        known = ledger.find(_rows(wanted, clone), wanted.manifest, wanted.study)
        if known is None:
            raise ValueError(f"no arrival in {wanted.inbox} has the manifest {wanted.manifest}")
        hands.say(
            f"{known['arrival']} was {known['outcome']} on {known['date_utc']}: nothing to do"
        )
    return same


def settle(arrival: Arrival, wanted: Wanted, clone: Path, hands: Hands) -> Row | None:
    """Decide upon one arrival, publish it and put the arrival away; return its line, None if it was known."""
    inbox.check_name(arrival)
    for _ in range(ATTEMPTS):
        hands.remote(registry.bring, clone, name=wanted.study, branch=wanted.branch)
        digest = None if arrival.is_pointer else inbox.manifest(arrival.path)
        if digest and _known(arrival, digest, wanted, clone, hands):
            return None
        try:
            return _decide(arrival, digest, wanted, clone, hands)
        except registry.Overtaken as error:
            hands.say(str(error))
    raise pipeline.Failed(
        f"{arrival.name}: others published {ATTEMPTS} times while it was tried: run again"
    )


def _rows(wanted: Wanted, clone: Path) -> list[dict[str, str]]:
    return ledger.at(f"origin/{wanted.branch}", root=clone)


def _known(arrival: Arrival, digest: str, wanted: Wanted, clone: Path, hands: Hands) -> bool:
    """Tell whether the data were decided upon before; put the arrival away then, as a dead run meant to."""
    row = ledger.find(_rows(wanted, clone), digest, wanted.study)
    if row is None:
        return False
    tables = ledger.tables(row, f"origin/{wanted.branch}", root=clone)
    place = inbox.put_away(arrival, row["outcome"], digest, tables)
    hands.say(
        f"{arrival.name}: these data were {row['outcome']} on {row['date_utc']} as {row['arrival']}: "
        f"nothing to do, moved to {place}"
    )
    return True


def _decide(
    arrival: Arrival, digest: str | None, wanted: Wanted, clone: Path, hands: Hands
) -> Row | None:
    """Try an arrival, publish what came of it and put it away; None if it is known or not the one wanted."""
    with worktree(wanted, clone, hands) as folder:
        source = arrival.path
        if digest is None:
            source = pulled(arrival, folder, clone, hands)
            digest = inbox.manifest(source)
            if wanted.manifest not in (None, digest):
                return None
            if _known(arrival, digest, wanted, clone, hands):
                return None
        hands.say(f"{arrival.name}: on trial in {folder}, manifest {digest}")
        python = checkouts.interpreter(folder, root=clone)
        best = registry.production(wanted.study, clone)
        judged = trial.judge(arrival.name, source, wanted, folder, python, best=best, hands=hands)
        if inbox.manifest(source) != digest:
            raise pipeline.Failed(
                f"{arrival.path} changed while it was read: wait until it is whole"
            )
        if judged.outcome == "promoted":
            hands.remote(registry.bring, clone, name=wanted.study, branch=wanted.branch)
            if registry.production(wanted.study, clone) != best:
                raise registry.Overtaken("another version became prod meanwhile: compare anew")
        note = untold.Note(study=wanted.study, manifest=digest, branch=wanted.branch)
        note.write(clone)
        row = publish(arrival, digest, judged, wanted, folder, hands)
    inbox.put_away(arrival, row["outcome"], digest, judged.tables)
    hands.say(ledger.words([row]))
    hands.tell(EVENTS[row["outcome"]], row, judged.tables)
    note.drop(clone)
    return row


def publish(
    arrival: Arrival, digest: str, judged: Judged, wanted: Wanted, folder: Path, hands: Hands
) -> Row:
    """Push what was decided: all of the worktree with tags if promoted, else the ledger's line and tables."""
    promoted = judged.outcome == "promoted"
    number = registry.next_number(wanted.study, folder) if promoted else ""
    row = ledger.line(
        arrival.name, digest, wanted.study, judged.outcome, version=number, reason=judged.reason,
        opened=bool(judged.acceptance), acceptance=judged.acceptance,
    )  # fmt: skip
    paths = ledger.write(folder, row, judged.tables)
    head = f"{wanted.study}: {arrival.name} {judged.outcome}{f', {number}' if number else ''}"
    message = "\n\n".join([head, *([row["reason"]] if row["reason"] else [])])
    repository.git("add", "--all", *([] if promoted else ["--", *paths]), root=folder)
    if not promoted:
        hands.remote(registry.publish, folder, branch=wanted.branch, message=message)
        return row
    version = hands.remote(
        registry.promote, folder, name=wanted.study, branch=wanted.branch, message=message
    )
    if version.number != number:
        raise pipeline.Failed(
            f"{version.tag} was registered, but {ledger.TABLE} calls it {number}: correct that line"
        )
    return row


@contextlib.contextmanager
def worktree(wanted: Wanted, clone: Path, hands: Hands) -> Iterator[Path]:
    """Yield a worktree at the remote's branch with its raw data; what failed in it stays to be looked at."""
    now = datetime.datetime.now(datetime.UTC)
    name = f"{NAME}{now:%Y%m%d-%H%M%S-%f}"
    folder = hands.remote(checkouts.add, name, f"origin/{wanted.branch}", root=clone)
    checkouts.use_key(clone)
    try:
        store.share(folder, of=clone)
        yield folder
    except (pipeline.Failed, ValueError) as error:
        if isinstance(error, registry.Overtaken) or not folder.exists():
            checkouts.remove(folder, root=clone)
        else:
            hands.say(f"kept for a look until the next run: {folder}")
        raise
    except BaseException:
        checkouts.remove(folder, root=clone)
        raise
    else:
        checkouts.remove(folder, root=clone)


def pulled(arrival: Arrival, folder: Path, clone: Path, hands: Hands) -> Path:
    """Bring the data that a pointer of the inbox names into the worktree; return their folder.

    Raises ValueError if it is no pointer to a folder, Failed if DVC's default remote does not give that.
    """
    tree = study.parse(arrival.path.read_text(encoding="utf-8"), where=str(arrival.path))
    outs = tree.get("outs")
    md5 = outs[0].get("md5") if isinstance(outs, list) and len(outs) == 1 else None
    if not isinstance(md5, str) or not _FOLDER.fullmatch(md5):
        raise ValueError(
            f"{arrival.path} is no pointer to one folder: `dvc add <folder>` writes such, and `dvc push`"
        )
    name = f"{NAME}{md5[:8]}"
    pointer = folder / data.RAW / f"{name}.dvc"
    text = f"outs:\n- md5: {md5}\n  hash: md5\n  path: {name}\n"
    pointer.parent.mkdir(parents=True, exist_ok=True)
    pointer.write_text(text, encoding="utf-8")
    try:
        hands.remote(checkouts.bring, [pointer], folder, of=clone)
    except pipeline.Unreachable as error:  # no reason for the other arrivals to wait
        raise pipeline.Failed(f"{arrival.path}: {error}: are its data pushed?") from None
    pointer.unlink()
    return pointer.with_suffix("")
