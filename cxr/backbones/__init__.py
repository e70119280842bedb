"""Backbones by timm's name or a paper's, for one grey channel, from scratch or from a weight file.

timm: https://github.com/huggingface/pytorch-image-models. `searched` is no timm name: it stands for
the families that the search draws from, see `cxr.architectures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.models.vgg import VGG
from torch import nn

from cxr import seeding
from cxr.backbones import names, searched
from cxr.backbones.weights import Taken, load_weights

__all__ = ["SEARCHED", "Taken", "batch_norms", "create", "features", "load_weights"]

SEARCHED = "searched"
"""The name under which `options` are a network of `cxr.architectures`."""
_OURS = ("pretrained", "in_chans", "num_classes", "features_only", "aux_logits")
"""Options of timm.create_model that would make something else than pooled features of a grey image."""


def create(
    name: str, *, options: Mapping[str, Any], seed: int, stream: tuple[str | int, ...]
) -> nn.Module:
    """Build the network `name` without a classifier: (B, 1, H, W) grey → (B, features) pooled.

    Weights are drawn from the named stream. `options` go to timm.create_model, save one of ours:
    `pre_logits: false` leaves out VGG's two layers of 4096 between its convolutions and its
    classifier, 120 of VGG-16's 134 million parameters, as Keras' include_top=False does. `searched`
    builds the architecture in `options`. Raises ValueError for a name that timm does not know, for
    options that don't fit it, and for a faulty architecture.
    """
    if name == SEARCHED:
        with seeding.torch_global(seed, *stream):
            return searched.build(options)
    own = {"pre_logits": True, **options}
    whole = own.pop("pre_logits")
    if taken := [option for option in _OURS if option in own]:
        raise ValueError(f"backbone_options can't set {', '.join(taken)}: {name} gives features")
    known = names.timm_name(name)
    with seeding.torch_global(seed, *stream):
        try:
            network = timm.create_model(known, pretrained=False, in_chans=1, num_classes=0, **own)
        except TypeError as error:
            raise ValueError(f"backbone_options of {name}: {error}") from None
    return network if whole else _convolutions(network, name)


def _convolutions(network: nn.Module, name: str) -> nn.Module:
    """Cut off the layers of 4096 of a VGG; their weights count as the classifier's from now on."""
    if not isinstance(network, VGG):
        raise ValueError(f"backbone_options: pre_logits goes with VGG, not with {name}")
    network.prune_intermediate_layers(prune_head=True)
    network.reset_classifier(0, "avg")
    config: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
    config["classifier"] = ("pre_logits", config["classifier"])
    return network


def features(network: nn.Module) -> int:
    """Return the length of the pooled features; MobileNetV3 and VGG widen them behind the pooling."""
    return int(getattr(network, "head_hidden_size", None) or network.num_features)  # type: ignore[arg-type]


def batch_norms(network: nn.Module) -> list[nn.Module]:
    """Return the BatchNorm layers of a network (timm's variants included)."""
    return [
        layer
        for layer in network.modules()
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)
    ]
