"""What criteria share: which filters make a group's channels, and one verdict from several layers.

Where several layers make the same channels (branches that are added, depthwise convolutions), each
layer's scores are divided by their mean first, so that every layer has one voice whatever its fan-in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from cxr.backbones.surgery import Group


def layers(group: Group) -> tuple[str, ...]:
    """Return the names of the layers with one filter per channel of the group."""
    return (*group.makers, *group.depthwise)


def filters(network: nn.Module, group: Group) -> list[torch.Tensor]:
    """Return each such layer's filters, flat: float64 (channels, weights of a filter)."""
    weights = [network.get_submodule(name).weight.detach() for name in layers(group)]  # type: ignore[operator]
    return [weight.double().flatten(1) for weight in weights]


def mean(scores_by_layer: Sequence[np.ndarray]) -> np.ndarray:
    """Return the layers' common scores (channels,), 0 or more as theirs are; their mean is about 1.

    A layer that gives every channel 0 says nothing and pulls the mean down alike.
    """
    return np.mean([_relative(scores) for scores in scores_by_layer], axis=0)


def _relative(scores: np.ndarray) -> np.ndarray:
    average = scores.mean()
    return scores / average if average > 0 else scores
