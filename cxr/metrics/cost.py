"""What a network costs: parameters and multiply-accumulates (MACs), counted, not timed.

MACs of convolutions and linear layers, as papers count them: one multiply-add per weight use;
normalisation, activation and pooling are left out. Counted on torch's meta device, so that even a
network that would not fit into memory can be counted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import nn


def parameters(network: nn.Module) -> int:
    """Return how many numbers training may change (BatchNorm's running statistics are not among them)."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: nn.Module, *, size_px: int, channels: int = 1) -> int:
    """Return the multiply-accumulates for one (channels, size_px, size_px) image."""
    return sum(by_layer(network, size_px=size_px, channels=channels).values())


def by_layer(network: nn.Module, *, size_px: int, channels: int = 1) -> dict[str, int]:
    """Return the MACs of each convolution and linear layer, by dotted name in network order.

    A layer that runs twice counts twice, one that never runs has 0.
    """
    shadow = copy.deepcopy(network).to("meta").eval()
    counted: dict[str, int] = {}

    def counter(name: str, each: int) -> Callable[..., None]:
        def count(_: nn.Module, __: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            counted[name] += output.numel() * each

        return count

    for name, layer in shadow.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            counted[name] = 0
            layer.register_forward_hook(counter(name, layer.weight[0].numel()))
    with torch.no_grad():
        shadow(torch.empty(1, channels, size_px, size_px, device="meta"))
    return counted
