"""A network before it is built: its layers as records, in the order an image meets them, and what they cost.

Families make such plans, `cxr.backbones` builds them, and cost, words and drawings are read off them,
so that no network is built in vain and none is described otherwise than it is built. Maps are
squares of `side` pixels. Convolutions count in MACs as papers count them: one multiply-add per use
of a weight; normalisation, activation, pooling and shrinking are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Activation = Literal["relu", "relu6", "silu", "hardswish"]
Norm = Literal["batch", "group"]
CHANNELS_PER_NORM_GROUP = 8
"""Channels that share their mean and variance under norm group (GroupNorm: Wu & He 2018)."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a network costs, counted and not timed."""

    parameters: int
    """numbers that training may change"""
    macs: int
    """multiply-accumulates for one image"""
    activation_bytes: int
    """float32 bytes of what all convolutions and linear layers put out for one image: what training
    keeps at the least (the outputs of norms and activations come on top)"""

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            parameters=self.parameters + other.parameters,
            macs=self.macs + other.macs,
            activation_bytes=self.activation_bytes + other.activation_bytes,
        )


NOTHING = Cost(parameters=0, macs=0, activation_bytes=0)


@dataclass(frozen=True)
class Conv:
    """A convolution, then a norm (without one the convolution has a bias), then an activation."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1
    norm: Norm | None = "batch"
    activation: Activation | None = None
    padded: bool = True
    """so that the side is only divided by the stride, rounding up"""


@dataclass(frozen=True)
class Squeeze:
    """Each channel times a number from 0 to 1 that all channels' means decide (Hu et al. 2018)."""

    channels: int
    inside: int
    activation: Activation


@dataclass(frozen=True)
class MaxPool:
    """Halves the side: the largest of 3x3, padded, rounding up; or of 2x2, rounding down."""

    kernel: Literal[2, 3]


@dataclass(frozen=True)
class Sum:
    """`path` plus `shortcut` (empty: the input as it stands), then an activation."""

    path: Sequence[Layer]
    shortcut: Sequence[Conv]
    activation: Activation | None


@dataclass(frozen=True)
class Concat:
    """Convolutions each of which reads the input and all before it; what comes out is all of that."""

    convs: Sequence[Conv]


@dataclass(frozen=True)
class Shrink:
    """Resizes the image, bilinearly, to `percent` of its side, half a pixel up."""

    percent: int


@dataclass(frozen=True)
class Pool:
    """Maps → features: the mean of each map (GAP), or all pixels of all maps, one after the other."""

    kind: Literal["gap", "flatten"]


@dataclass(frozen=True)
class Linear:
    """A linear layer with a bias, then an activation."""

    inputs: int
    outputs: int
    activation: Activation


Layer = Conv | Squeeze | MaxPool | Sum | Concat | Shrink | Pool | Linear


@dataclass(frozen=True)
class Part:
    """What stands as one box in a drawing."""

    name: str
    """of the module that is built from it"""
    words: str
    """for people"""
    layers: Sequence[Layer]


@dataclass(frozen=True)
class Shape:
    """What flows between two layers, for one image: maps, or with side_px 0 a flat row of features."""

    channels: int
    side_px: int

    @property
    def size(self) -> int:
        return self.channels * max(self.side_px, 1) ** 2


def shrunk(side_px: int, percent: int) -> int:
    """Return the side after `Shrink`."""
    return max(1, (side_px * percent + 50) // 100)


def count(layers: Sequence[Layer], shape: Shape) -> tuple[Shape, Cost]:
    """Return what comes out of `layers` and what they cost, for one image of `shape`."""
    total = NOTHING
    for layer in layers:
        shape, cost = _count(layer, shape)
        total += cost
    return shape, total


def _count(layer: Layer, shape: Shape) -> tuple[Shape, Cost]:
    side = shape.side_px
    match layer:
        case Conv():
            return _conv(layer, shape)
        case Squeeze(channels, inside):
            # two linear layers, built as 1x1 convolutions of one pixel
            first, second = _linear(channels, inside), _linear(inside, channels)
            return shape, first + second
        case MaxPool(kernel):
            return Shape(shape.channels, side // 2 if kernel == 2 else -(-side // 2)), NOTHING
        case Sum(path, shortcut):
            found, of_path = count(path, shape)
            beside, of_shortcut = count(shortcut, shape)
            assert found == beside, f"{found} can't be added to {beside}"
            return found, of_path + of_shortcut
        case Concat(convs):
            total = NOTHING
            for conv in convs:
                made, cost = _conv(conv, shape)
                shape, total = Shape(shape.channels + made.channels, side), total + cost
            return shape, total
        case Shrink(percent):
            return Shape(shape.channels, shrunk(side, percent)), NOTHING
        case Pool(kind):
            return Shape(shape.channels if kind == "gap" else shape.size, 0), NOTHING
        case Linear(inputs, outputs):
            assert (inputs, 0) == (shape.channels, side), f"{layer} can't read {shape}"
            return Shape(outputs, 0), _linear(inputs, outputs)


def _conv(conv: Conv, shape: Shape) -> tuple[Shape, Cost]:
    assert conv.inputs == shape.channels, f"{conv} can't read {shape}"
    reach = shape.side_px if conv.padded else shape.side_px - conv.kernel + 1
    made = Shape(conv.outputs, -(-reach // conv.stride))
    weights = conv.outputs * (conv.inputs // conv.groups) * conv.kernel**2
    beside = conv.outputs if conv.norm is None else 2 * conv.outputs  # bias; or scale and shift
    return made, Cost(
        parameters=weights + beside,
        macs=weights * made.side_px**2,
        activation_bytes=4 * made.size,
    )


def _linear(inputs: int, outputs: int) -> Cost:
    return Cost(
        parameters=(inputs + 1) * outputs, macs=inputs * outputs, activation_bytes=4 * outputs
    )
