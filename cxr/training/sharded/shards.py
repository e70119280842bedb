"""A batch cut into shards: where each lies, what it weighs, and how their gradients become the batch's.

Shapes: B images of a batch, L labels, F numbers of one shard's row: its gradients, then the
floating-point buffers of the network (BatchNorm's running statistics), then its loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from cxr.training import losses
from cxr.training.sharded.team import Team, share

SMALLEST = 2
"""Images of a shard: of one alone BatchNorm has no variance."""


@dataclass(frozen=True)
class Shard:
    """One part of a batch."""

    number: int
    rows: slice
    """of the batch's images"""
    weight: float
    """its share of the batch's images"""
    factor: float
    """by which the mean over its own labels is multiplied, so that the weighted sum is the batch's mean"""


def bounds(images: int, shards: int) -> list[slice]:
    """Return the rows of each shard: neighbours, as many as in any other but for one.

    Raises ValueError if a shard would have fewer than SMALLEST images.
    """
    if images < SMALLEST * shards:
        raise ValueError(
            f"a batch of {images} images can't be cut into {shards} shards of {SMALLEST} or more: "
            "lower shards or raise batch_size, which no more images than train has can fill"
        )
    parts = (share(images, rank=number, size=shards) for number in range(shards))
    return [slice(part.start, part.stop) for part in parts]


def cut(labels_BL: torch.Tensor, shards: int, loss: losses.Loss) -> list[Shard]:
    """Return the shards of a batch with these labels."""
    images, whole = len(labels_BL), loss.mass(labels_BL)
    found = []
    for number, rows in enumerate(bounds(images, shards)):
        weight = (rows.stop - rows.start) / images
        # of a batch without a known label every part of the loss is 0, whatever it is multiplied by
        factor = loss.mass(labels_BL[rows]) / whole / weight if whole else 1.0
        found.append(Shard(number, rows, weight, factor))
    return found


class Gradients:
    """Works out the gradient of a batch, shard by shard, each from the same buffers."""

    def __init__(self, network: nn.Module, shards: int, team: Team) -> None:
        """Take the network as it is frozen; its parameters and buffers have to stay the same objects."""
        self.shards, self.team = shards, team
        self._parameters = [x for x in network.parameters() if x.requires_grad]
        self._buffers = list(network.buffers())
        self._merged = [x for x in self._buffers if x.is_floating_point()]
        self._sizes = [x.numel() for x in (*self._parameters, *self._merged)]
        own = share(shards, rank=team.rank, size=team.size)
        self._own = slice(own.start, own.stop)
        self._rows_RF = torch.zeros(len(own), sum(self._sizes) + 1)

    def leave(
        self, labels_BL: torch.Tensor, loss: losses.Loss, one: Callable[[Shard], torch.Tensor]
    ) -> float:
        """Leave a batch's gradient in the parameters, its statistics in the buffers; return its loss.

        `one` returns the mean loss of a shard. The parameters must hold no gradient before.
        """
        parts = cut(labels_BL, self.shards, loss)
        begun = [buffer.clone() for buffer in self._buffers]
        reached: list[bool] = []
        for row_F, part in zip(self._rows_RF, parts[self._own], strict=True):
            _copy(begun, self._buffers)
            value = one(part)
            (value * part.weight).backward()
            reached = [x.grad is not None for x in self._parameters]
            self._write(row_F, value)
        rows = self.team.gather(self._rows_RF, self.shards)
        self._add(rows, reached)
        self._merge(rows, [part.rows.stop - part.rows.start for part in parts])
        return sum(part.weight * float(row_F[-1]) for part, row_F in zip(parts, rows, strict=True))

    def _write(self, row_F: torch.Tensor, value: torch.Tensor) -> None:
        """Write one shard's row, and take the gradients off the parameters."""
        slots = self._slots(row_F)
        for slot, parameter in zip(slots, self._parameters, strict=False):
            if parameter.grad is None:
                slot.zero_()
            else:
                slot.copy_(parameter.grad.reshape(-1))
            parameter.grad = None
        for slot, buffer in zip(slots[len(self._parameters) :], self._merged, strict=True):
            slot.copy_(buffer.reshape(-1))
        row_F[-1] = value.detach()

    def _add(self, rows: list[torch.Tensor], reached: list[bool]) -> None:
        """Add the gradients in the order of the shards; a parameter that no loss reaches has none."""
        end = sum(self._sizes[: len(self._parameters)])
        total = rows[0][:end].clone()
        for row_F in rows[1:]:
            total += row_F[:end]
        views = total.split(self._sizes[: len(self._parameters)])
        for parameter, view, there in zip(self._parameters, views, reached, strict=True):
            parameter.grad = view.view_as(parameter) if there else None

    def _merge(self, rows: list[torch.Tensor], images: list[int]) -> None:
        """Set each floating-point buffer to its mean over the images, of float64, in the shards' order.

        A running variance is so the mean of the shards' variances: what lies between their means is
        not in it, as it is not in what normalised their images. Other buffers count steps: every
        shard leaves the same in them.
        """
        start = sum(self._sizes[: len(self._parameters)])
        total = torch.zeros(sum(self._sizes) - start, dtype=torch.float64)
        for row_F, count in zip(rows, images, strict=True):
            total += row_F[start:-1].double() * count
        total /= sum(images)
        views = total.split(self._sizes[len(self._parameters) :])
        with torch.no_grad():
            for buffer, view in zip(self._merged, views, strict=True):
                buffer.copy_(view.view_as(buffer))

    def _slots(self, row_F: torch.Tensor) -> list[torch.Tensor]:
        """Return the places in a row of each parameter and of each buffer, flat."""
        return list(row_F[:-1].split(self._sizes))


def _copy(sources: list[torch.Tensor], targets: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for source, target in zip(sources, targets, strict=True):
            target.copy_(source)


def blocks(items: int, size: int) -> Iterator[slice]:
    """Yield where each block of `size` lies in `items`; the last is what is left."""
    for first, last in itertools.pairwise([*range(0, items, size), items]):
        yield slice(first, last)
