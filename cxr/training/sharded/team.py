"""Who works on the parts of a training: this process alone, or several that give each other their rows.

Shapes: R rows of this process, F numbers in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


class Lost(ValueError):
    """Another process of the training is gone, or did not answer in time."""


class Team(Protocol):
    """Processes that run the same training, each with its share of the parts."""

    @property
    def rank(self) -> int:
        """Return this process' place, from 0."""
        ...

    @property
    def size(self) -> int:
        """Return how many processes there are."""
        ...

    def gather(self, rows_RF: torch.Tensor, items: int) -> list[torch.Tensor]:
        """Return the rows (F,) of all `items` in their order; `rows_RF` are those of `share`'s.

        Every process has to call it, with rows of the same length. Raises Lost.
        """
        ...


@dataclass(frozen=True)
class Alone:
    """This process, which works on all parts."""

    rank: int = 0
    size: int = 1

    def gather(self, rows_RF: torch.Tensor, items: int) -> list[torch.Tensor]:
        """Return the rows as they are."""
        assert len(rows_RF) == items, f"{len(rows_RF)} rows of {items}"
        return list(rows_RF)


def share(items: int, *, rank: int, size: int) -> range:
    """Return which of `items` a process works on: neighbours, and as many as any other but for one."""
    return range(items * rank // size, items * (rank + 1) // size)


def agree(team: Team, digest: bytes) -> None:
    """Raise ValueError that names who has another digest than process 0: the bytes would differ."""
    rows = team.gather(torch.tensor([list(digest)], dtype=torch.float32), team.size)
    other = [str(rank) for rank, row in enumerate(rows) if not torch.equal(row, rows[0])]
    if other:
        raise ValueError(
            f"process {', '.join(other)} of {team.size} begins with another network, other images "
            "or other labels than process 0: bring the same data/ to every machine (`make doctor` tells whether "
            "their processors are of one class) and start again"
        )
