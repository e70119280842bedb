"""One process' part in a sharded training: its shards of every batch, its blocks of the val images.

Shapes: B images of a batch, b of them this process', N images of val, L labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from cxr.training import batches, losses
from cxr.training.network import Network
from cxr.training.sharded import shards
from cxr.training.sharded.team import Team, agree, share

One = Callable[[shards.Shard, torch.Tensor], torch.Tensor]
"""(a shard, its images (b, 1, H, W)) → the mean loss over them."""


class Sharing:
    """The feed (see `batches.Feed`) of one process, and what it makes of the others' work."""

    def __init__(
        self, network: Network, images: batches.Images, labels: tuple[np.ndarray, ...], team: Team
    ) -> None:
        """Take the training as it begins, with the labels of train and val.

        Raises ValueError if the training images don't fill the shards of a batch, and if another
        process of the team begins with something else.
        """
        self.images, self.team, self.recipe = images, team, images.recipe
        batch = min(self.recipe.batch_size, len(images.train_NHW))
        parts = shards.bounds(batch, self.recipe.shards)
        own = share(self.recipe.shards, rank=team.rank, size=team.size)
        self._own = slice(parts[own.start].start, parts[own.stop - 1].stop)
        self._gradients = shards.Gradients(network, self.recipe.shards, team)
        if team.size > 1:
            agree(team, _digest(network, images.train_NHW, images.val_NHW, *labels))

    def reader(self, network: Network) -> nn.Module:
        """Return the whole network."""
        return network

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield (positions (B,) of a whole batch, this process' augmented images of it (b, 1, H, W))."""
        recipe, feed = self.recipe, self.images
        drawn = batches.order(
            len(feed.train_NHW), batch_size=recipe.batch_size,
            seed=feed.seed, stream=feed.stream, epoch=epoch,
        )  # fmt: skip
        for positions in drawn:
            changed = batches.changed(
                feed.train_NHW, positions[self._own], recipe.augmentation,
                seed=feed.seed, stream=(*feed.stream, "augment", epoch),
            )  # fmt: skip
            yield positions, batches.normalise(changed, mean=recipe.mean, std=recipe.std)

    def val(self) -> Iterator[torch.Tensor]:
        """Yield this process' blocks of the val images, normalised (SCORED, 1, H, W)."""
        for rows in self._val_blocks()[1]:
            yield from batches.scored(self.images.val_NHW[rows], self.recipe)

    def finish(self) -> None:
        """Do nothing: nothing was kept."""

    def gradient(self, inputs: torch.Tensor, labels_BL: torch.Tensor, loss: losses.Loss, one: One) -> float:  # fmt: skip
        """Leave the gradient of a whole batch in the network; return its loss.

        `inputs` are this process' images of it, `labels_BL` those of all.
        """
        first = self._own.start

        def own(part: shards.Shard) -> torch.Tensor:
            # copied: where its memory begins must not hang on which shards lie beside it
            return one(part, inputs[part.rows.start - first : part.rows.stop - first].clone())

        return self._gradients.leave(labels_BL, loss, own)

    def scores(self, blocks: list[torch.Tensor], labels: int) -> torch.Tensor:
        """Return the raw scores (N, L) of all val images; `blocks` are those of `val`'s."""
        every, own = self._val_blocks()
        rows_RF = torch.zeros(len(own), batches.SCORED * labels)
        for row_F, block in zip(rows_RF, blocks, strict=True):
            row_F[: block.numel()] = block.reshape(-1)
        rows = self.team.gather(rows_RF, len(every))
        sizes = [x.stop - x.start for x in every]
        return torch.cat([x.view(-1, labels)[:n] for x, n in zip(rows, sizes, strict=True)])

    def _val_blocks(self) -> tuple[list[slice], list[slice]]:
        """Return where all blocks of val lie, and which of them are this process'."""
        every = list(shards.blocks(len(self.images.val_NHW), batches.SCORED))
        own = share(len(every), rank=self.team.rank, size=self.team.size)
        return every, every[own.start : own.stop]


def _digest(network: Network, *arrays: np.ndarray) -> bytes:
    """Return what stands for the first weights, the images and their labels."""
    sha = hashlib.sha256()
    for array in (*(x.numpy() for x in network.state_dict().values()), *arrays):
        sha.update(f"{array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.digest()
