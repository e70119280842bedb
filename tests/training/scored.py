"""What a network says of images, seen once and without a temperature."""

import numpy as np
from torch import nn

from cxr.training import loop, losses
from cxr.training.recipe import Recipe


def probabilities(network: nn.Module, recipe: Recipe, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L)."""
    return losses.probabilities(loop.raw_scores(network, recipe, images_NHW), recipe.loss).numpy()
