"""Processes that give each other their rows by torch's gloo, over TCP, whole and in order.

Nothing is added on the way: an all-reduce would add in an order that hangs on the number of
processes. Source: https://docs.pytorch.org/docs/stable/distributed.html, "all_gather_into_tensor".
"""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from cxr.training.sharded.team import Lost, share

WAIT_S = 600
"""How long a process may keep the others waiting: longer than reading the images takes, or any step."""


def store(
    host: str, port: int | None = None, *, wait_s: float = WAIT_S
) -> tuple[distributed.Store, int]:
    """Return the store by which processes find one another, and its port; without `port`, a new one.

    A new one listens at `host` alone. Raises Lost if there is none at `port` for `wait_s`.
    """
    wait = timedelta(seconds=wait_s)
    if port is not None:
        try:
            return distributed.TCPStore(host, port, is_master=False, timeout=wait), port
        except (RuntimeError, ValueError) as error:
            raise Lost(f"nobody answers at {host}:{port}: {_first_line(error)}") from None
    listening = socket.create_server((host, 0))
    port = int(listening.getsockname()[1])
    made = distributed.TCPStore(
        host, port, is_master=True, timeout=wait, wait_for_workers=False,
        master_listen_fd=listening.detach(),
    )  # fmt: skip
    return made, port


class Processes:
    """A team (see `team.Team`) of several processes."""

    def __init__(
        self, meeting: distributed.Store, name: str, *, rank: int, size: int, host: str,
        wait_s: float = WAIT_S,
    ) -> None:  # fmt: skip
        """Find the others of the team `name`; listen at `host`, an address of this machine. Raises Lost."""
        self.rank, self.size, self._wait = rank, size, timedelta(seconds=wait_s)
        # built here and not by init_process_group: that one listens wherever the host's name leads
        gloo: Any = distributed.ProcessGroupGloo
        options = gloo._Options()
        options._devices = [gloo.create_device(hostname=host)]
        options._timeout = self._wait
        named = distributed.PrefixStore(name, meeting)
        try:
            self._group = gloo(named, rank, size, options)
        except RuntimeError as error:
            raise Lost(f"the processes did not find one another: {_first_line(error)}") from None

    def gather(self, rows_RF: torch.Tensor, items: int) -> list[torch.Tensor]:
        """Return the rows of all items, see `team.Team`."""
        own = share(items, rank=self.rank, size=self.size)
        assert len(rows_RF) == len(own), f"{len(rows_RF)} rows, of {own}"
        most = -(-items // self.size)
        if len(rows_RF) < most:  # gloo wants as many of everyone
            rows_RF = torch.cat([rows_RF, rows_RF.new_zeros(most - len(rows_RF), rows_RF.shape[1])])
        all_SRF = rows_RF.new_empty(self.size, most, rows_RF.shape[1])
        try:
            self._group._allgather_base(all_SRF.flatten(0, 1), rows_RF.contiguous()).wait(
                self._wait
            )
        except RuntimeError as error:
            raise Lost(f"another process is gone or silent: {_first_line(error)}") from None
        shares = (share(items, rank=rank, size=self.size) for rank in range(self.size))
        return [all_SRF[rank, row] for rank, x in enumerate(shares) for row in range(len(x))]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
