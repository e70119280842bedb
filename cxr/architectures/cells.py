"""cells: a stem, then stages of like blocks, then pooled or flattened features and dense layers.

    {"family": "cells", "resolution": 100, "stem": 16, "stem_stride": 2, "activation": "relu", "norm": "batch", "down": "stride",
     "stages": [{"block": "inverted", "width": 24, "depth": 2, "kernel": 3, "expansion": 4, "se": false}, …],
     "pool": "gap", "hidden": [64]}

The stem is a 3x3 convolution that halves the side by its stride or keeps it (for images of few
pixels); each stage halves it again. Every convolution is
followed by the norm. Blocks:

    plain     convolution, activation (VGG: Simonyan & Zisserman 2015)
    residual  two convolutions and a shortcut (ResNet's basic block: He et al. 2016)
    inverted  widened by `expansion`, filtered per channel, narrowed without activation, with a
              shortcut where nothing changes size (MobileNetV2: Sandler et al. 2018)
    dense     a stage is one of them: `depth` convolutions of `growth` channels, each of which reads
              the stage's input and all before it, then a 1x1 convolution to `width` (DenseNet: Huang
              et al. 2017, with the activation behind the convolution). Growth is half the width,
              rounded up to a multiple of 8.

A stage halves by the stride of its first convolution, or by a 3x3 max-pooling before it. Dense
blocks can't halve by the stride of a convolution that stands beside their input: there a convolution
of stride 2 to twice the growth goes before. Squeeze-excitation (Hu et al. 2018) stands behind a plain
block, before a residual block's sum, inside an inverted block and behind a dense one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cxr.architectures._plan import (
    CHANNELS_PER_NORM_GROUP,
    Concat,
    Conv,
    Layer,
    Linear,
    MaxPool,
    Part,
    Pool,
    Shape,
    Shrink,
    Squeeze,
    Sum,
    count,
)

_GROUP = CHANNELS_PER_NORM_GROUP
_POOLS = {"gap": "GAP", "flatten": "flatten"}
_NAMES = {"silu": "SiLU", "hardswish": "hard swish", "group": "GroupNorm", "max_pool": "max-pooled"}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks of one kind and size."""

    block: Literal["plain", "residual", "inverted", "dense"]
    """what it repeats"""
    width: int
    """channels that it puts out"""
    depth: int
    """how many blocks; of a dense one, convolutions"""
    kernel: Literal[3, 5]
    """side of its filters"""
    expansion: int | None = field(metadata={"optional": True})
    """inverted only: how many times wider a block is inside"""
    se: bool
    """whether each block has squeeze-excitation"""

    def __post_init__(self) -> None:
        for name in ("width", "depth"):
            _at_least_one(name, getattr(self, name))
        if (self.expansion is not None) != (self.block == "inverted"):
            raise ValueError("expansion goes with block inverted, and only with it")
        if self.expansion is not None:
            _at_least_one("expansion", self.expansion)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network of the family."""

    family: Literal["cells"]
    resolution: int
    """percent of the image's side that the network works at"""
    stem: int
    """channels of the first convolution"""
    stem_stride: Literal[1, 2]
    """of the first convolution: by how much it divides the side"""
    activation: Literal["relu", "silu", "hardswish"]
    norm: Literal["batch", "group"]
    """over the batch, or over groups of 8 channels"""
    down: Literal["stride", "max_pool"]
    """how a stage halves the side"""
    stages: list[Stage]
    """each on maps of half the side of the one before"""
    pool: Literal["gap", "flatten"]
    """means of maps, or all their pixels"""
    side_px: int | None = field(metadata={"optional": True})
    """flatten only: side of the image that the network is made for"""
    hidden: list[int]
    """outputs of the dense layers behind the pooling"""

    def __post_init__(self) -> None:
        _at_least_one("stem", self.stem)
        if not 1 <= self.resolution <= 100:
            raise ValueError(f"resolution must be 1..100 percent, not {self.resolution}")
        if not self.stages:
            raise ValueError("stages is empty: a network needs at least one")
        for place, outputs in enumerate(self.hidden):
            _at_least_one(f"hidden[{place}]", outputs)
        if (self.side_px is not None) != (self.pool == "flatten"):
            raise ValueError("side_px goes with pool flatten, and only with it")
        if self.side_px is not None and self.side_px < smallest_px(self):
            raise ValueError(f"side_px must be at least {smallest_px(self)}, not {self.side_px}")
        widths = [self.stem, *(stage.width for stage in self.stages)]
        odd = [width for width in widths if width % _GROUP]
        if self.norm == "group" and odd:
            raise ValueError(
                f"norm group needs stem and widths in multiples of {_GROUP}, not {odd[0]}"
            )


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")


def parts(network: Architecture) -> list[Part]:
    """Plan the network: stem, stages, pooling and dense layers."""
    planned = []
    if network.resolution < 100:
        planned.append(Part("shrink", f"at {network.resolution} %", [Shrink(network.resolution)]))
    planned.append(
        Part(
            "stem", _stem_words(network), [_conv(network, 1, network.stem, 3, network.stem_stride)]
        )
    )
    inputs = network.stem
    for place, stage in enumerate(network.stages):
        planned.append(Part(f"stage{place}", _words(stage), list(_stage(network, stage, inputs))))
        inputs = stage.width
    planned.append(Part("pool", _POOLS[network.pool], [Pool(network.pool)]))
    if network.pool == "flatten":
        layers = [layer for part in planned for layer in part.layers]
        inputs = count(layers, Shape(1, network.side_px or 0))[0].channels
    for place, outputs in enumerate(network.hidden):
        layer = Linear(inputs, outputs, network.activation)
        planned.append(Part(f"dense{place}", f"dense {outputs}", [layer]))
        inputs = outputs
    return planned


def _stem_words(network: Architecture) -> str:
    return f"stem {network.stem}" + (" (stride 1)" if network.stem_stride == 1 else "")


def _words(stage: Stage) -> str:
    details = [f"{stage.kernel}×{stage.kernel}"]
    if stage.expansion is not None:
        details.append(f"×{stage.expansion} inside")
    if stage.se:
        details.append("SE")
    return f"{stage.depth} × {stage.block} {stage.width} ({', '.join(details)})"


def shared_words(network: Architecture) -> str:
    """Say what holds for all parts and is not the usual: activation, norm, how stages halve."""
    found = (network.activation, network.norm, network.down)
    return ", ".join(_NAMES[word] for word in found if word in _NAMES)


def smallest_px(network: Architecture) -> int:
    """Return the side that an image needs, so that the last maps are one pixel without rounding up."""
    needed = network.stem_stride * 2 ** len(network.stages)
    return -(-(100 * needed - 50) // network.resolution)  # `shrunk` goes half a pixel up


def fixed_px(network: Architecture) -> int | None:
    """Return the only side of images that the network takes; None if it takes any."""
    return network.side_px


def _stage(network: Architecture, stage: Stage, inputs: int) -> Iterator[Layer]:
    """Plan a stage's blocks, the halving first."""
    stride = 2
    if network.down == "max_pool":
        yield MaxPool(3)
        stride = 1
    if stage.block == "dense":
        yield from _dense(network, stage, inputs, stride)
        return
    block = {"plain": _plain, "residual": _residual, "inverted": _inverted}[stage.block]
    for _ in range(stage.depth):
        yield from block(network, stage, inputs, stride)
        inputs, stride = stage.width, 1


def _plain(network: Architecture, stage: Stage, inputs: int, stride: int) -> Iterator[Layer]:
    yield _conv(network, inputs, stage.width, stage.kernel, stride)
    yield from _squeeze(network, stage, stage.width)


def _residual(network: Architecture, stage: Stage, inputs: int, stride: int) -> Iterator[Layer]:
    width, kernel = stage.width, stage.kernel
    path = [
        _conv(network, inputs, width, kernel, stride),
        _conv(network, width, width, kernel, active=False),
        *_squeeze(network, stage, width),
    ]
    same = stride == 1 and inputs == width
    shortcut = [] if same else [_conv(network, inputs, width, 1, stride, active=False)]
    yield Sum(path, shortcut, network.activation)


def _inverted(network: Architecture, stage: Stage, inputs: int, stride: int) -> Iterator[Layer]:
    inside = inputs * (stage.expansion or 1)
    path: list[Layer] = [
        _conv(network, inside, inside, stage.kernel, stride, groups=inside),
        *_squeeze(network, stage, inside),
        _conv(network, inside, stage.width, 1, active=False),
    ]
    if inside != inputs:
        path.insert(0, _conv(network, inputs, inside, 1))
    if stride == 1 and inputs == stage.width:
        yield Sum(path, [], None)
    else:
        yield from path


def _dense(network: Architecture, stage: Stage, inputs: int, stride: int) -> Iterator[Layer]:
    growth = 8 * -(-stage.width // 16)
    if stride == 2:
        yield _conv(network, inputs, 2 * growth, stage.kernel, stride)
        inputs = 2 * growth
    read = range(inputs, inputs + stage.depth * growth, growth)
    yield Concat([_conv(network, channels, growth, stage.kernel) for channels in read])
    yield _conv(network, inputs + stage.depth * growth, stage.width, 1)
    yield from _squeeze(network, stage, stage.width)


def _squeeze(network: Architecture, stage: Stage, channels: int) -> Sequence[Layer]:
    """Plan squeeze-excitation: a quarter of the channels inside, in whole eights, at least 8."""
    inside = max(8, (channels + 16) // 32 * 8)
    return [Squeeze(channels, inside, network.activation)] if stage.se else []


def _conv(
    network: Architecture,
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    active: bool = True,
) -> Conv:
    return Conv(
        inputs, outputs, kernel, stride, groups,
        norm=network.norm, activation=network.activation if active else None,
    )  # fmt: skip
