"""What a network costs: parameters and multiply-accumulates (MACs), counted, not timed.

MACs of convolutions and linear layers, as papers count them: one multiply-add per weight use;
normalisation, activation and pooling are left out. Counted on torch's meta device, so that even a
network that would not fit into memory can be counted.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn


def parameters(network: nn.Module) -> int:
    """Return how many numbers training may change (BatchNorm's running statistics are not among them)."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: nn.Module, *, size_px: int, channels: int = 1) -> int:
    """Return the multiply-accumulates for one (channels, size_px, size_px) image."""
    total = 0

    def count(layer: nn.Module, _: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            each = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
        else:
            each = layer.in_features  # type: ignore[assignment]
        total += output.numel() * each

    shadow = copy.deepcopy(network).to("meta").eval()
    for layer in shadow.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        shadow(torch.empty(1, channels, size_px, size_px, device="meta"))
    return total
