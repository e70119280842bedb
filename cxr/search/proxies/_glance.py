"""What proxies that look at a network share: a copy that may be changed, and that draws nothing."""

from __future__ import annotations

import copy

from torch import nn


def shadow(network: nn.Module) -> nn.Module:
    """Return a copy in training mode (normalisation by the batch's statistics), without dropout."""
    found = copy.deepcopy(network).train()
    for layer in found.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.eval()
    return found
