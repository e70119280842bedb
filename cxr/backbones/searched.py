"""Networks of `cxr.architectures`, built: those of family mobile by timm, the others from their plan.

Initial weights come from torch's global generator: convolutions from a normal distribution of
variance 2 / fan-in (He et al. 2015; fan-in holds for depthwise ones too), linear layers likewise,
since a rectifier follows each; biases are 0, norms start at scale 1 and shift 0. timm draws
MobileNetV2's as its authors did, by fan-out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet
from torch import nn
from torchvision.ops import Conv2dNormActivation

from cxr import architectures
from cxr.architectures import Concat, Conv, Linear, MaxPool, Pool, Shrink, Squeeze, Sum, mobile

_ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "silu": nn.SiLU, "hardswish": nn.Hardswish,
}  # fmt: skip


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """Build the network (B, 1, H, W) → (B, num_features), its weights from torch's global generator.

    Raises ValueError that names the places where `architecture` is faulty.
    """
    found = architectures.read(architecture)
    return _mobile(found) if isinstance(found, mobile.Architecture) else Planned(architecture)


class Planned(nn.Sequential):
    """Grey images (B, 1, H, W), normalised → features (B, num_features); a module per planned part."""

    num_features: int
    """Length of the features."""
    pretrained_cfg: Mapping[str, Any]
    """What `cxr.backbones.load_weights` asks of a network, under timm's name for it."""

    def __init__(self, architecture: Mapping[str, Any]) -> None:
        parts = architectures.parts(architecture)
        super().__init__(OrderedDict((p.name, _sequence(p.layers)) for p in parts))
        self._fixed_px = architectures.fixed_px(architecture)
        size_px = self._fixed_px or architectures.smallest_px(architecture)
        self.num_features = architectures.features(architecture, size_px=size_px)
        convs = [name for name, layer in self.named_modules() if isinstance(layer, nn.Conv2d)]
        self.pretrained_cfg = {"first_conv": convs[0], "classifier": ()}
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        side = images_B1HW.shape[-1]
        if self._fixed_px not in (None, side):
            raise ValueError(
                f"the network takes images of {self._fixed_px} px alone, since its pixels are "
                f"flattened into a linear layer, not of {side} px"
            )
        return super().forward(images_B1HW)


class Squeezed(nn.Module):
    """Squeeze-excitation: (B, C, H, W), each channel times a number from 0 to 1."""

    def __init__(self, layer: Squeeze) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(layer.channels, layer.inside, 1)
        self.active = _ACTIVATIONS[layer.activation]()
        self.expand = nn.Conv2d(layer.inside, layer.channels, 1)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        means_BC11 = maps_BCHW.mean(dim=(2, 3), keepdim=True)
        return maps_BCHW * self.expand(self.active(self.reduce(means_BC11))).sigmoid()


class Summed(nn.Module):
    """A path and its shortcut, added."""

    def __init__(self, layer: Sum) -> None:
        super().__init__()
        self.path = _sequence(layer.path)
        self.shortcut = _sequence(layer.shortcut)
        self.active = _ACTIVATIONS[layer.activation]() if layer.activation else nn.Identity()

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        return self.active(self.path(maps_BCHW) + self.shortcut(maps_BCHW))


class Concatenated(nn.Module):
    """Convolutions that read all before them; what comes out is all of that."""

    def __init__(self, layer: Concat) -> None:
        super().__init__()
        self.convs = _sequence(layer.convs)

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        for conv in self.convs:
            maps_BCHW = torch.cat([maps_BCHW, conv(maps_BCHW)], dim=1)
        return maps_BCHW


class Shrunk(nn.Module):
    """Images at some percent of their sides, bilinearly."""

    def __init__(self, percent: int) -> None:
        super().__init__()
        self.percent = percent

    def forward(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        size = [architectures.shrunk(side, self.percent) for side in images_B1HW.shape[2:]]
        return nn.functional.interpolate(images_B1HW, size, mode="bilinear", align_corners=False)


class Pooled(nn.Module):
    """The mean of each map: not nn.AdaptiveAvgPool2d, whose gradient has no deterministic form on a GPU."""

    def forward(self, maps_BCHW: torch.Tensor) -> torch.Tensor:
        return maps_BCHW.mean(dim=(2, 3))


class GroupNorm(nn.GroupNorm):
    """GroupNorm of 8 channels a group, whatever the number of channels."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels // architectures.CHANNELS_PER_NORM_GROUP, channels)


_NORMS: Mapping[str | None, type[nn.Module] | None] = {
    "batch": nn.BatchNorm2d, "group": GroupNorm, None: None,
}  # fmt: skip


def _sequence(layers: Sequence[architectures.Layer]) -> nn.Sequential:
    return nn.Sequential(*map(_module, layers))


def _module(layer: architectures.Layer) -> nn.Module:
    match layer:
        case Conv():
            return Conv2dNormActivation(
                layer.inputs, layer.outputs, layer.kernel, layer.stride,
                padding=None if layer.padded else 0, groups=layer.groups,
                norm_layer=_NORMS[layer.norm],
                activation_layer=_ACTIVATIONS[layer.activation] if layer.activation else None,
            )  # fmt: skip
        case Squeeze():
            return Squeezed(layer)
        case Sum():
            return Summed(layer)
        case Concat():
            return Concatenated(layer)
        case MaxPool(kernel):
            return nn.MaxPool2d(kernel, 2, padding=kernel // 2 if kernel == 3 else 0)
        case Shrink(percent):
            return Shrunk(percent)
        case Pool(kind):
            return Pooled() if kind == "gap" else nn.Flatten()
        case Linear():
            active = _ACTIVATIONS[layer.activation]()
            return nn.Sequential(nn.Linear(layer.inputs, layer.outputs), active)


def _mobile(network: mobile.Architecture) -> nn.Module:
    """Build by timm's blocks; padding and epsilon as Keras has them, whose weights there are.

    With timm's own padding of strided convolutions Keras' weights lose nearly half their answers.
    """
    stages = []
    for stage, stride in zip(network.stages, mobile.STRIDES, strict=True):
        kind = "ds" if stage.expansion == 1 else "ir"
        inside = f"_e{stage.expansion}" if stage.expansion > 1 else ""
        stages.append([f"{kind}_r{stage.depth}_k{stage.kernel}_s{stride}{inside}_c{stage.width}"])
    built: Any = EfficientNet(
        decode_arch_def(stages), in_chans=1, num_classes=0, num_features=network.head,
        stem_size=network.stem, fix_stem=True, round_chs_fn=int, pad_type="same",
        act_layer=nn.ReLU6, norm_layer=partial(nn.BatchNorm2d, eps=1e-3),
    )  # fmt: skip
    built.pretrained_cfg = {"first_conv": "conv_stem", "classifier": "classifier"}
    return built
