"""Training batches in a keyed order, and the input's normalisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from cxr import seeding
from cxr.training.augmentation import augment
from cxr.training.recipe import Augmentation


def normalise(images_NHW: np.ndarray, *, mean: float, std: float) -> torch.Tensor:
    """Return float32 (N, 1, H, W): grey 0..255 to 0..1, minus mean, over std."""
    images = torch.from_numpy(np.ascontiguousarray(images_NHW)).to(torch.float32)
    return images.mul_(1.0 / (255.0 * std)).sub_(mean / std).unsqueeze_(1)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return how many batches an epoch of so many images has: the full ones, or a single small one."""
    return max(images // batch_size, 1)


def epoch_batches(
    images_NHW: np.ndarray,
    *,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    stream: tuple[str | int, ...],
    epoch: int,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (positions (B,), augmented images uint8 (B, H, W)) once through the images.

    The last batch is left out if it is not full: BatchNorm's statistics of two images are noise.
    Fewer images than one batch make a single small batch.
    """
    order = seeding.stream(seed, *stream, "order", epoch).permutation(len(images_NHW))
    for step in range(steps_per_epoch(len(order), batch_size)):
        positions = order[step * batch_size : (step + 1) * batch_size]
        changed = [
            augment(
                images_NHW[position],
                augmentation,
                rng=seeding.stream(seed, *stream, "augment", epoch, int(position)),
            )
            for position in positions
        ]
        yield positions, np.stack(changed)
