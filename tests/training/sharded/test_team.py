"""Teams: every part has one process, and nobody goes along who would give other bytes."""

from __future__ import annotations

import pytest
import torch

from cxr.training.sharded.team import Alone, agree, share


@pytest.mark.parametrize(("items", "size"), [(4, 1), (4, 2), (4, 3), (4, 4), (3, 5), (0, 2)])
def test_every_item_is_worked_once_and_in_order(items: int, size: int) -> None:
    shares = [share(items, rank=rank, size=size) for rank in range(size)]
    assert [x for part in shares for x in part] == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_all_rows_are_ones_own() -> None:
    rows = torch.arange(6.0).view(3, 2)
    assert [x.tolist() for x in Alone().gather(rows, 3)] == rows.tolist()
    agree(Alone(), b"\x00\xff")
