"""What a network costs: parameters, multiply-accumulates (MACs) and memory, counted, not timed.

MACs of convolutions and linear layers, as papers count them: one multiply-add per weight use;
normalisation, activation and pooling are left out. Counted on torch's meta device, so that even a
network that would not fit into memory can be counted.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

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
    return {
        name: sum(outputs) * layer.weight[0].numel()
        for name, layer, outputs in _outputs(network, size_px=size_px, channels=channels)
    }


def activation_bytes(network: nn.Module, *, size_px: int, channels: int = 1) -> int:
    """Return the float32 bytes of what all convolutions and linear layers put out for one image.

    A lower bound of what training keeps per image: outputs of norms and activations come on top.
    """
    counted = _outputs(network, size_px=size_px, channels=channels)
    return 4 * sum(sum(outputs) for _, _, outputs in counted)


def _outputs(
    network: nn.Module, *, size_px: int, channels: int
) -> Iterator[tuple[str, nn.Conv2d | nn.Linear, list[int]]]:
    """Yield each convolution and linear layer with its name and the sizes of its outputs, run by run."""
    shadow = copy.deepcopy(network).to("meta").eval()
    layers = {
        name: layer
        for name, layer in shadow.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    outputs: dict[nn.Module, list[int]] = {layer: [] for layer in layers.values()}

    def note(layer: nn.Module, _: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        outputs[layer].append(output.numel())

    for layer in layers.values():
        layer.register_forward_hook(note)
    with torch.no_grad():
        shadow(torch.empty(1, channels, size_px, size_px, device="meta"))
    for name, layer in layers.items():
        yield name, layer, outputs[layer]
