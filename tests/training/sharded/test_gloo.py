"""Rows travel whole, come in the order of the items, and a process that is silent is told of."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
import torch

from cxr.training.sharded import gloo
from cxr.training.sharded.team import Lost, agree, share

Found = TypeVar("Found")


def together(
    size: int, function: Callable[[gloo.Processes], Found], *, wait_s: float = 60
) -> list[Found]:
    """Call the function in each of so many members of a team, here in threads of one process."""
    _, port = keep = gloo.store("127.0.0.1")

    def one(rank: int) -> Found:
        store, _ = gloo.store("127.0.0.1", port)
        team = gloo.Processes(
            store, "toy", rank=rank, size=size, host="127.0.0.1", wait_s=wait_s
        )  # fmt: skip
        return function(team)

    with ThreadPoolExecutor(size) as threads:
        found = list(threads.map(one, range(size)))
    del keep
    return found


@pytest.mark.parametrize(("size", "items"), [(2, 4), (3, 4), (2, 1)])
def test_all_have_all_rows_in_order(size: int, items: int) -> None:
    def gathered(team: gloo.Processes) -> list[list[float]]:
        own = share(items, rank=team.rank, size=size)
        rows = torch.tensor([[10.0 * row, 10.0 * row + 1] for row in own]).view(-1, 2)
        return [x.tolist() for x in team.gather(rows, items)]

    wanted = [[10.0 * row, 10.0 * row + 1] for row in range(items)]
    assert together(size, gathered) == [wanted] * size


def test_who_begins_otherwise_is_named_to_all() -> None:
    def asked(team: gloo.Processes) -> str:
        with pytest.raises(ValueError, match="bring the same data/ to every machine") as told:
            agree(team, bytes([7, 200, 3 + (team.rank == 1)]))
        return str(told.value)

    found = together(3, asked)
    assert len(set(found)) == 1 and found[0].startswith(
        "process 1 of 3 begins with another network"
    )


def test_a_silent_process_is_lost() -> None:
    def asked(team: gloo.Processes) -> str:
        if team.rank == 1:
            return ""
        with pytest.raises(Lost, match="another process is gone or silent") as told:
            team.gather(torch.zeros(1, 3), 2)
        return str(told.value)

    assert together(2, asked, wait_s=4)[0]


def test_a_store_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Lost, match=f"nobody answers at 127.0.0.1:{port}"):
        gloo.store("127.0.0.1", port, wait_s=1)
