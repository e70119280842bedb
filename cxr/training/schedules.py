"""How long a training is, and the learning-rate factor of each of its steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cxr.training import batches
from cxr.training.recipe import Recipe


@dataclass(frozen=True)
class Length:
    """How long a training is, in steps."""

    steps: int
    epoch: int
    """steps once through the images"""
    warmup: int

    @property
    def epochs(self) -> int:
        """Return how many epochs are begun."""
        return -(-self.steps // self.epoch)


def length(recipe: Recipe, images: int, steps: int | None) -> Length:
    """Return the length by the recipe's epochs, or of exactly so many `steps`, a fifth of them warm-up at most.

    Raises ValueError for less than one step.
    """
    epoch = batches.steps_per_epoch(images, recipe.batch_size)
    warmup = round(recipe.optimizer.warmup_epochs * epoch)
    if steps is None:
        return Length(recipe.epochs * epoch, epoch, warmup)
    if steps < 1:
        raise ValueError(f"a training needs at least 1 step, not {steps}")
    return Length(steps, epoch, min(warmup, steps // 5))


def warmup_cosine(step: int, *, steps: int, warmup: int) -> float:
    """Return the factor for `step` in 0..steps-1: linear up over `warmup` steps, then a cosine to 0.

    Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
