"""The family that the search draws from: a stem, then stages of like blocks, described by plain JSON.

    {"stem": 16, "stages": [{"block": "inverted", "width": 24, "depth": 2, "kernel": 3, "expansion": 4}, …]}

The stem is a 3x3 convolution of stride 2; the first block of each stage halves the side again. Every
convolution is followed by BatchNorm. Blocks:

    plain     convolution, ReLU (VGG: Simonyan & Zisserman 2015)
    residual  two convolutions and a shortcut (ResNet's basic block: He et al. 2016)
    inverted  widened by `expansion`, filtered per channel, narrowed without ReLU, with a shortcut
              where nothing changes size (MobileNetV2: Sandler et al. 2018)

A network's cost is counted from the same plan that it is built from, so no network is built in vain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torchvision.ops import Conv2dNormActivation

from cxr import params


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Blocks of one kind and size."""

    block: Literal["plain", "residual", "inverted"]
    """what it repeats"""
    width: int
    """channels that it puts out"""
    depth: int
    """how many blocks"""
    kernel: Literal[3, 5]
    """side of its filters"""
    expansion: int | None
    """inverted only: how many times wider a block is inside"""

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

    stem: int
    """channels of the first convolution"""
    stages: list[Stage]
    """each on maps of half the side of the one before"""

    def __post_init__(self) -> None:
        _at_least_one("stem", self.stem)
        if not self.stages:
            raise ValueError("stages is empty: a network needs at least one")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")


@dataclass(frozen=True)
class Conv:
    """A convolution without bias and the BatchNorm behind it."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    groups: int = 1


@dataclass(frozen=True)
class Plan:
    """A block: ReLU between the convolutions of `path`, and behind the sum with the shortcut if `relu`."""

    path: Sequence[Conv]
    shortcut: Sequence[Conv] | None
    """None: there is none; empty: the input as it stands; else projected"""
    relu: bool


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the network (B, 1, H, W) → (B, num_features), its weights from torch's global generator.

    Raises ValueError that names the place where `architecture` is faulty.
    """
    return Staged(read(architecture))


def count(architecture: Mapping[str, Any], *, size_px: int) -> tuple[int, int]:
    """Return the parameters and the MACs for one image of the network, which is not built.

    The same numbers as `cxr.metrics.cost` gives for the built network. Raises ValueError as `build`.
    """
    parameters, macs, side = 0, 0, size_px
    for plan in _plans(read(architecture)):
        for convs in (plan.shortcut or (), plan.path):
            reached = side
            for conv in convs:
                reached = -(-reached // conv.stride)
                weights = conv.outputs * (conv.inputs // conv.groups) * conv.kernel**2
                parameters += weights + 2 * conv.outputs  # BatchNorm's scale and shift
                macs += weights * reached**2
        side = reached
    return parameters, macs


def read(architecture: Mapping[str, Any]) -> Architecture:
    """Check a plain mapping; raise one ValueError that lists every fault with its place."""
    stages = architecture.get("stages")
    if isinstance(stages, list):  # `expansion` stands only where it means something
        filled = [{"expansion": None, **s} if isinstance(s, Mapping) else s for s in stages]
        architecture = {**architecture, "stages": filled}
    return params.build(Architecture, architecture, where="architecture")


def _plans(architecture: Architecture) -> Iterator[Plan]:
    """Yield the stem and all blocks, in the order an image meets them."""
    yield Plan([Conv(1, architecture.stem, kernel=3, stride=2)], None, relu=True)
    inputs = architecture.stem
    for stage in architecture.stages:
        for place in range(stage.depth):
            yield _block(stage, inputs, stride=1 if place else 2)
            inputs = stage.width


def _block(stage: Stage, inputs: int, *, stride: int) -> Plan:
    """Plan one block; the first of a stage has stride 2."""
    width, kernel = stage.width, stage.kernel
    if stage.block == "plain":
        return Plan([Conv(inputs, width, kernel, stride)], None, relu=True)
    same = stride == 1 and inputs == width
    if stage.block == "residual":
        path = [Conv(inputs, width, kernel, stride), Conv(width, width, kernel)]
        return Plan(path, [] if same else [Conv(inputs, width, 1, stride)], relu=True)
    inside = inputs * (stage.expansion or 1)
    path = [Conv(inside, inside, kernel, stride, groups=inside), Conv(inside, width, 1)]
    if inside != inputs:
        path.insert(0, Conv(inputs, inside, 1))
    return Plan(path, [] if same else None, relu=False)


class Staged(nn.Module):
    """Grey images (B, 1, H, W), normalised → pooled features (B, num_features)."""

    num_features: int
    """Length of the pooled features."""
    pretrained_cfg: Mapping[str, Any] = {"first_conv": "stem.path.0.0", "classifier": ()}
    """What `cxr.backbones.load_weights` asks of a network, under timm's name for it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        stem, *blocks = _plans(architecture)
        self.stem = Block(stem)
        planned = iter(blocks)
        self.stages = nn.Sequential(*[
            nn.Sequential(*[Block(next(planned)) for _ in range(stage.depth)])
            for stage in architecture.stages
        ])  # fmt: skip
        self.num_features = architecture.stages[-1].width
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):  # He et al. 2015; fan_in holds for depthwise ones too
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")

    def forward(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        # a mean and not nn.AdaptiveAvgPool2d, whose gradient has no deterministic form on a GPU
        return self.stages(self.stem(images_B1HW)).mean(dim=(2, 3))


class Block(nn.Module):
    """A planned block as a module."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        *inner, last = plan.path
        layers = [_layer(conv, relu=True) for conv in inner]
        self.path = nn.Sequential(*layers, _layer(last, relu=plan.relu and plan.shortcut is None))
        self.shortcut: nn.Module | None = None
        if plan.shortcut is not None:
            self.shortcut = nn.Sequential(*[_layer(conv, relu=False) for conv in plan.shortcut])
        self.relu = plan.relu

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        found = self.path(maps_BCHW)
        if self.shortcut is None:
            return found
        found = found + self.shortcut(maps_BCHW)
        return nn.functional.relu(found, inplace=True) if self.relu else found


def _layer(conv: Conv, *, relu: bool) -> nn.Module:
    return Conv2dNormActivation(
        conv.inputs, conv.outputs, conv.kernel, conv.stride, groups=conv.groups,
        activation_layer=nn.ReLU if relu else None,
    )  # fmt: skip
