"""mobile: networks like MobileNetV2, with timm's names for their tensors, so that its weights fit.

    {"family": "mobile", "stem": 16, "head": 1280,
     "stages": [{"width": 8, "depth": 1, "expansion": 1, "kernel": 3}, … seven of them]}

Sandler et al. 2018, table 2: a 3x3 stem of stride 2, seven stages of inverted residual blocks with
ReLU6 of which the second, third, fourth and sixth halve the side, a 1x1 convolution to `head`
channels, and the mean of each map. A stage of expansion 1 has no widening convolution in its blocks
(as MobileNetV2's first). mobilenetv2_035 is stem 16, widths 8, 8, 16, 24, 32, 56, 112, depths 1, 2,
3, 4, 3, 3, 1, expansions 1, 6, …, 6, kernels 3, head 1280.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cxr.architectures._plan import Activation, Conv, Layer, Part, Pool, Sum

STRIDES = (1, 2, 2, 2, 1, 2, 1)
"""Of the first block of each stage."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Inverted residual blocks of one size."""

    width: int
    """channels that it puts out, a multiple of 8"""
    depth: int
    """how many blocks"""
    expansion: int
    """how many times wider a block is inside"""
    kernel: Literal[3, 5]
    """side of its filters"""

    def __post_init__(self) -> None:
        _eights("width", self.width)
        for name in ("depth", "expansion"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network of the family."""

    family: Literal["mobile"]
    stem: int
    """channels of the first convolution, a multiple of 8"""
    stages: list[Stage]
    """seven"""
    head: int
    """channels of the last convolution, a multiple of 8"""

    def __post_init__(self) -> None:
        _eights("stem", self.stem)
        _eights("head", self.head)
        if len(self.stages) != len(STRIDES):
            raise ValueError(
                f"stages must be {len(STRIDES)}, as MobileNetV2's, not {len(self.stages)}"
            )


def _eights(name: str, value: int) -> None:
    if value < 8 or value % 8:  # timm rounds the widths inside of blocks to eights
        raise ValueError(f"{name} must be a multiple of 8, not {value}")


def parts(network: Architecture) -> list[Part]:
    """Plan the network: stem, stages, the last convolution and the mean of each map."""
    planned = [Part("stem", f"stem {network.stem}", [_conv(1, network.stem, 3, 2)])]
    inputs = network.stem
    for place, (stage, stride) in enumerate(zip(network.stages, STRIDES, strict=True)):
        inside = f", ×{stage.expansion} inside" if stage.expansion > 1 else ""
        words = f"{stage.depth} × inverted {stage.width} ({stage.kernel}×{stage.kernel}{inside})"
        planned.append(Part(f"stage{place}", words, list(_blocks(stage, inputs, stride))))
        inputs = stage.width
    last = _conv(inputs, network.head, 1)
    planned.append(Part("head", f"conv {network.head} (1×1)", [last]))
    return [*planned, Part("pool", "GAP", [Pool("gap")])]


def _blocks(stage: Stage, inputs: int, stride: int) -> Iterator[Layer]:
    for _ in range(stage.depth):
        inside = inputs * stage.expansion
        path = [_conv(inputs, inside, 1)] if stage.expansion > 1 else []
        path.append(_conv(inside, inside, stage.kernel, stride, groups=inside))
        path.append(_conv(inside, stage.width, 1, activation=None))
        if stride == 1 and inputs == stage.width:
            yield Sum(path, [], None)
        else:
            yield from path
        inputs, stride = stage.width, 1


def _conv(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: Activation | None = "relu6",
) -> Conv:
    return Conv(inputs, outputs, kernel, stride, groups, activation=activation)


def shared_words(network: Architecture) -> str:
    """Say nothing: what the parts share is MobileNetV2's."""
    return ""


def smallest_px(network: Architecture) -> int:
    """Return the side that leaves one pixel after the stem's and the stages' halvings."""
    return 2 ** (1 + STRIDES.count(2))


def fixed_px(network: Architecture) -> int | None:
    """Return None: maps of any side have a mean."""
    return None
