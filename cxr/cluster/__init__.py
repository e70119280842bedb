"""Work on the processes of a Dask cluster, on this machine or others, to the same bytes.

    python -m cxr.cluster scheduler
    python -m cxr.cluster worker tcp://127.0.0.1:8786 --workers 2      # on each machine
    CXR_CLUSTER=tcp://127.0.0.1:8786 make repro

Every worker is one process of one thread with every pin. Before any work, each must have the
caller's pins, code and library versions and see its data/prepared; so a machine needs a clone at the
same commit, `make setup`, and a copy of the data (or a shared folder). Results travel back, nobody
else writes them. A worker that dies is replaced and its work done again by another.

A cluster must be trusted: whoever reaches the scheduler or a worker can run code there, since Dask
sends functions and data as pickles. So both listen on this machine alone unless told otherwise; for
a network that others use, give Dask certificates (DASK_DISTRIBUTED__COMM__TLS__…) and tls://
addresses. Processors must be of one class, too: `make doctor` on each machine says so.

Source: Dask.distributed, "Worker" (nannies' environment), "TLS/SSL", "Resilience".
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cxr import progress
from cxr.cluster import fit

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_S = 8
"""How long a scheduler may take to answer."""
WAIT_S = 300
"""How long work waits for workers when there is none."""
_LOOK_S = 2  # how often to look for workers when nothing arrives
_FETCH_S = 60  # how long a result may travel, where there are workers


def arrivals(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    address: str,
    words: str,
    chunk: int = 1,
) -> Generator[tuple[int, Result]]:
    """Yield (place of the item, its result) as each is finished by a worker of the cluster.

    Raises ValueError if the scheduler does not answer or is lost, if a worker is not fit, if there
    is no worker for WAIT_S, or if work killed its workers again and again.
    """
    with _connected(address) as client:
        wanted = json.dumps(fit.facts(threads=1), sort_keys=True)
        _await_workers(client, address, words)
        _check(client, wanted)
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        numbered = list(enumerate(items))
        waiting = {}
        for start in range(0, len(items), chunk):
            parcel = _Parcel(function, numbered[start : start + chunk], wanted)
            future = client.submit(_work, parcel, pure=False)
            waiting[future.key] = future
            future.add_done_callback(done.put)
        watch = _Watch(client, address, words)
        while waiting:
            future = _next(done, watch)
            yield from _results(future, watch, missing=len(waiting))
            del waiting[future.key]  # the worker may forget it


@dataclass(frozen=True)
class _Parcel:
    """What one task carries; an object of our own, so that Dask does not look for tasks inside."""

    function: Callable[[Any], Any]
    numbered: list[tuple[int, Any]]
    wanted: str


def _work(parcel: _Parcel) -> list[tuple[int, Any]]:
    """Work on a parcel, in a worker; one that joined late is looked at here for the first time."""
    import distributed

    worker = distributed.get_worker()
    faults = fit.faults_here(parcel.wanted, threads=worker.state.nthreads)
    if faults:
        raise ValueError(f"worker {worker.address} {'; it '.join(faults)}")
    return [(number, parcel.function(item)) for number, item in parcel.numbered]


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Yield a client of the scheduler; raise ValueError if there is none at `address`."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise ValueError(
            "CXR_CLUSTER is set, but the package distributed is not installed: run `make setup`, or "
            "unset CXR_CLUSTER to work on this machine"
        ) from None
    if not re.fullmatch(r"(tcp|tls)://[^/\s]+:\d+", address):
        raise ValueError(f"CXR_CLUSTER must be like tcp://127.0.0.1:8786, not {address!r}")
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ValueError(
            f"no scheduler answers at {address} within {CONNECT_S} s (CXR_CLUSTER; "
            f"{type(error).__name__}): start it with `python -m cxr.cluster scheduler` and workers "
            f"with `python -m cxr.cluster worker {address}`, or unset CXR_CLUSTER to work on this "
            "machine"
        ) from None
    try:
        yield client
    finally:
        client.close(timeout=CONNECT_S)


def _await_workers(client: Any, address: str, words: str) -> None:
    if client.nthreads():
        return
    progress.say(_without_workers(address, words))
    try:
        client.wait_for_workers(1, timeout=WAIT_S)
    except TimeoutError:
        raise _no_workers(address, words) from None


class _Watch:
    """Looks after the workers while nothing arrives; says when none is left, raises if none comes."""

    def __init__(self, client: Any, address: str, words: str) -> None:
        self.client, self.address, self.words = client, address, words
        self.lacking = 0  # looks, _LOOK_S apart

    def look(self) -> bool:
        """Say whether there are workers; raise ValueError if there was none for WAIT_S."""
        with contextlib.suppress(OSError):  # a lost scheduler ends all futures: see _results
            self.lacking = 0 if self.client.nthreads() else self.lacking + 1
        if self.lacking == 1:
            progress.say(_without_workers(self.address, self.words))
        if self.lacking * _LOOK_S > WAIT_S:
            raise _no_workers(self.address, self.words)
        return not self.lacking


def _next(done: queue.SimpleQueue[Any], watch: _Watch) -> Any:
    """Return the next future that is done."""
    while True:
        try:
            return done.get(timeout=_LOOK_S)
        except queue.Empty:
            watch.look()


def _without_workers(address: str, words: str) -> str:
    return (
        f"{words}: the cluster has no worker, waiting up to {WAIT_S} s for one: start it with "
        f"`python -m cxr.cluster worker {address}`"
    )


def _no_workers(address: str, words: str) -> ValueError:
    return ValueError(
        f"{words}: the cluster at {address} had no worker for {WAIT_S} s: start some with `python -m "
        f"cxr.cluster worker {address}` and start again, or unset CXR_CLUSTER to work on this machine"
    )


def _results(future: Any, watch: _Watch, *, missing: int) -> list[tuple[int, Any]]:
    """Return what a future holds; an error of the work comes out as it is."""
    import distributed
    from distributed.client import FutureCancelledError

    try:
        return _fetch(future, watch)
    except distributed.KilledWorker:
        raise ValueError(
            f"{watch.words}: some work ended with the death of its worker again and again, {missing} "
            "parcels are missing: too little memory? Start fewer workers on a machine (--workers) "
            "and start again; `dmesg` names what the kernel killed"
        ) from None
    except (FutureCancelledError, distributed.comm.CommClosedError):
        raise ValueError(
            f"{watch.words}: the scheduler at {watch.address} was lost, {missing} parcels are "
            "missing: start it and its workers again, then this; or unset CXR_CLUSTER to work on "
            "this machine"
        ) from None


def _fetch(future: Any, watch: _Watch) -> list[tuple[int, Any]]:
    """Return the result of a future that was done, and may be so no more.

    A worker that is lost before its result was fetched takes the result along, and Dask waits
    without a word until another worker has done the work again.
    """
    patience = _LOOK_S
    while True:
        try:
            found: list[tuple[int, Any]] = future.result(timeout=patience)
            return found
        except TimeoutError:
            if future.status == "error":  # the work's own
                raise
            patience = min(2 * patience, _FETCH_S) if watch.look() else _LOOK_S


def _check(client: Any, wanted: str) -> None:
    """Raise ValueError that names every worker which is not fit to work for the caller."""
    found = client.run(_look, on_error="return")
    unfit = []
    for worker in sorted(found):
        if isinstance(found[worker], BaseException):
            unfit.append(f"{worker} can't be asked: {found[worker]!r}")
        else:
            unfit += [
                f"{worker} {fault}" for fault in fit.faults(found[worker], json.loads(wanted))
            ]
    if unfit:
        raise ValueError("workers of the cluster are not fit to work: " + "; ".join(unfit))


def _look(dask_worker: Any) -> dict[str, Any]:
    """Return a worker's facts, in that worker."""
    return fit.facts(threads=dask_worker.state.nthreads)
