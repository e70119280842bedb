"""Rank channels by the L1 norm of the filters that make them: a filter of small weights says little.

Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 3.1. Where several layers make
the same channels (branches that are added, depthwise convolutions), each layer's norms are divided
by their mean first, so that every layer has one voice whatever its fan-in.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group


def scores(network: nn.Module, group: Group) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; the mean over a group's channels is about 1."""
    layers = [network.get_submodule(name) for name in (*group.makers, *group.depthwise)]
    return np.mean([_relative(layer) for layer in layers], axis=0)


def _relative(layer: nn.Module) -> np.ndarray:
    weight = layer.weight.detach()  # type: ignore[operator]
    norms = weight.double().abs().flatten(1).sum(dim=1).numpy()
    mean = norms.mean()
    return norms / mean if mean > 0 else norms
