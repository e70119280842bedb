"""plain_cnn: convolutions and max-poolings in turn, flattened into dense layers, all of one size.

    {"family": "plain_cnn", "layer_size": 64, "conv_layers": 2, "dense_layers": 1, "side_px": 224}

Basalamah & Rahman 2021, "An optimized CNN for classification of X-ray images" (grid over 1..3
convolutions, 32..128 filters or units, 0..2 dense layers): 3x3 convolutions without padding, with
bias and ReLU, each followed by 2x2 max-pooling; then Dense layers with ReLU. Nearly all parameters
stand in the first dense layer, which reads every pixel of every map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cxr.architectures._plan import Conv, Linear, MaxPool, Part, Pool


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network of the family."""

    family: Literal["plain_cnn"]
    layer_size: int
    """filters of each convolution and units of each dense layer"""
    conv_layers: int
    """convolutions, each with its pooling"""
    dense_layers: int
    """dense layers before the head"""
    side_px: int
    """side of the image that the network is made for"""

    def __post_init__(self) -> None:
        for name, least in (("layer_size", 1), ("conv_layers", 1), ("dense_layers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.side_px < smallest_px(self):
            raise ValueError(f"side_px must be at least {smallest_px(self)}, not {self.side_px}")


def parts(network: Architecture) -> list[Part]:
    """Plan the network: convolutions, flattening and dense layers."""
    size, planned, inputs, side = network.layer_size, [], 1, network.side_px
    for place in range(network.conv_layers):
        conv = Conv(inputs, size, 3, norm=None, activation="relu", padded=False)
        words = f"conv {size} (3×3, unpadded) + max-pool"
        planned.append(Part(f"stage{place}", words, [conv, MaxPool(2)]))
        inputs, side = size, (side - 2) // 2
    planned.append(Part("pool", "flatten", [Pool("flatten")]))
    inputs *= side**2
    for place in range(network.dense_layers):
        planned.append(Part(f"dense{place}", f"dense {size}", [Linear(inputs, size, "relu")]))
        inputs = size
    return planned


def shared_words(network: Architecture) -> str:
    """Say nothing: the parts say all."""
    return ""


def smallest_px(network: Architecture) -> int:
    """Return the side that leaves one pixel: each pair takes a border of 1 pixel, then halves."""
    side = 1
    for _ in range(network.conv_layers):
        side = 2 * side + 2
    return side


def fixed_px(network: Architecture) -> int | None:
    """Return the only side of images that the network takes."""
    return network.side_px
