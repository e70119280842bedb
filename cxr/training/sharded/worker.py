"""A worker of a training that another process started: it joins, and trains along until it is let go."""

from __future__ import annotations

import os
import re
import socket
import threading
from typing import Any

from cxr import progress
from cxr.cluster import fit
from cxr.training import folds, loop
from cxr.training.sharded import gloo, tasks
from cxr.training.sharded.channel import HANDSHAKE_S, Channel, Refused, meet
from cxr.training.sharded.team import Lost, Team

PATIENCE_S = 120
"""How long a worker looks for a training that has not begun to listen."""
_LOOK_S = 1


def address(words: str) -> tuple[str, int]:
    """Return host and port of tcp://host:port; raise ValueError for anything else."""
    found = re.fullmatch(r"tcp://([^/\s]+):(\d+)", words)
    if not found:
        raise ValueError(f"an address must be like tcp://10.0.0.1:29400, not {words!r}")
    return found[1], int(found[2])


def work(host: str, port: int, secret: bytes) -> None:
    """Join the training that listens at `host`; return when it is done.

    Raises ValueError that says why if it does not listen, refuses this worker, or can't go on.
    """
    channel = _joined(host, port, secret)
    try:
        channel.tell({**fit.facts(threads=1), "host": socket.gethostname(), "process": os.getpid()})
        welcome = channel.hear(PATIENCE_S)
        if "refused" in welcome:
            raise ValueError(
                f"the training at {host}:{port} refuses this worker: {welcome['refused']}"
            )
        channel.end_with_other()
        store, _ = gloo.store(host, welcome["port"])
        team = gloo.Processes(
            store, welcome["team"], rank=welcome["rank"], size=welcome["size"],
            host=channel.own_host, wait_s=welcome["wait_s"],
        )  # fmt: skip
        progress.say(f"joined {host}:{port} as worker {team.rank} of {team.size - 1}")
        while (words := channel.hear()) is not None:
            _train(channel, tasks.unpack(words, channel.receive()), team)
    except (ConnectionError, TimeoutError):
        raise ValueError(f"the training at {host}:{port} is gone") from None
    finally:
        channel.close()


def _train(channel: Channel, task: folds.Task, team: Team) -> None:
    """Train along; say what can't be done to who would wait for it."""
    try:
        folds.fit(task, team)
    except loop.Diverged:
        return  # the others see the same, and the training says it
    except Lost as error:
        channel.tell({"lost": str(error)})
        raise
    except (ValueError, OSError) as error:
        channel.tell({"error": str(error)})
        raise


def _joined(host: str, port: int, secret: bytes) -> Channel:
    """Return the channel to a training, which may begin to listen only in a while."""
    said: Any = None
    for _ in range(PATIENCE_S // _LOOK_S):
        try:
            connection = socket.create_connection((host, port), HANDSHAKE_S)
        except ConnectionRefusedError as error:
            said = error
            threading.Event().wait(_LOOK_S)
            continue
        except OSError as error:
            said = error
            break
        try:
            return meet(connection, secret, "worker")
        except (OSError, Refused) as error:
            connection.close()
            said = error
            break
    raise ValueError(
        f"no training takes up this worker at {host}:{port} ({said}): start it with CXR_JOIN_AT="
        f"tcp://{host}:{port}, and look whether both have the same secret"
    )
