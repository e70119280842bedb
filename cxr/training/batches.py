"""Training batches in a keyed order, the input's normalisation, and where a training's inputs come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from cxr import seeding
from cxr.training.augmentation import augment, is_still
from cxr.training.network import Network
from cxr.training.recipe import Augmentation, Recipe

SCORED = 64
"""Images that are scored at a time: the size of a batch decides last bits."""


class Feed(Protocol):
    """What the trained layers of a network are given: images, or what frozen layers make of them."""

    def reader(self, network: Network) -> nn.Module:
        """Return what turns inputs into raw scores (B, L), in the layers of `network` itself."""
        ...

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield (positions (B,), inputs float32 (B, …)) once through the training images."""
        ...

    def val(self) -> Iterator[torch.Tensor]:
        """Yield the inputs of the val images in order, SCORED at a time."""
        ...

    def finish(self) -> None:
        """Remove what was kept on disk for the training."""
        ...


@dataclass(frozen=True)
class Images:
    """The feed of a network that sees its images anew in every epoch, each time changed at random."""

    train_NHW: np.ndarray
    val_NHW: np.ndarray
    recipe: Recipe
    seed: int
    stream: tuple[str | int, ...]

    def reader(self, network: Network) -> nn.Module:
        """Return the whole network."""
        return network

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Yield (positions (B,), augmented and normalised images (B, 1, H, W))."""
        recipe = self.recipe
        drawn = epoch_batches(
            self.train_NHW, batch_size=recipe.batch_size, augmentation=recipe.augmentation,
            seed=self.seed, stream=self.stream, epoch=epoch,
        )  # fmt: skip
        for positions, changed in drawn:
            yield positions, normalise(changed, mean=recipe.mean, std=recipe.std)

    def val(self) -> Iterator[torch.Tensor]:
        """Yield normalised images (B, 1, H, W)."""
        return scored(self.val_NHW, self.recipe)

    def finish(self) -> None:
        """Do nothing: nothing was kept."""


def normalise(images_NHW: np.ndarray, *, mean: float, std: float) -> torch.Tensor:
    """Return float32 (N, 1, H, W): grey 0..255 to 0..1, minus mean, over std."""
    copied = np.array(images_NHW, np.float32, order="C")  # a memory map is not writable
    images = torch.from_numpy(copied)
    return images.mul_(1.0 / (255.0 * std)).sub_(mean / std).unsqueeze_(1)


def scored(images_NHW: np.ndarray, recipe: Recipe) -> Iterator[torch.Tensor]:
    """Yield the images in order, normalised (B, 1, H, W), SCORED at a time; the last are what is left."""
    for first in range(0, len(images_NHW), SCORED):
        yield normalise(images_NHW[first : first + SCORED], mean=recipe.mean, std=recipe.std)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return how many batches an epoch of so many images has: the full ones, or a single small one."""
    return max(images // batch_size, 1)


def order(
    images: int, *, batch_size: int, seed: int, stream: tuple[str | int, ...], epoch: int
) -> Iterator[np.ndarray]:
    """Yield the positions (B,) of each batch of an epoch.

    The last batch is left out if it is not full: BatchNorm's statistics of two images are noise.
    Fewer images than one batch make a single small batch.
    """
    shuffled = seeding.stream(seed, *stream, "order", epoch).permutation(images)
    for step in range(steps_per_epoch(images, batch_size)):
        yield shuffled[step * batch_size : (step + 1) * batch_size]


def epoch_batches(
    images_NHW: np.ndarray,
    *,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    stream: tuple[str | int, ...],
    epoch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions (B,), augmented images uint8 (B, H, W)) once through the images, see `order`."""
    drawn = order(len(images_NHW), batch_size=batch_size, seed=seed, stream=stream, epoch=epoch)
    for positions in drawn:
        own = (*stream, "augment", epoch)
        yield positions, changed(images_NHW, positions, augmentation, seed=seed, stream=own)


def changed(
    images_NHW: np.ndarray, positions: np.ndarray, augmentation: Augmentation,
    *, seed: int, stream: tuple[str | int, ...],
) -> np.ndarray:  # fmt: skip
    """Return the images at `positions`, augmented: uint8 (B, H, W), each under its own stream."""
    if is_still(augmentation):
        return images_NHW[positions]
    return np.stack(
        [
            augment(images_NHW[i], augmentation, rng=seeding.stream(seed, *stream, i))
            for i in positions.tolist()
        ]
    )
