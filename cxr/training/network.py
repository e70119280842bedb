"""A backbone and a head as one module, and which of their parameters are trained."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cxr import backbones, seeding
from cxr.backbones import hub, stem
from cxr.training import losses
from cxr.training.recipe import Head, Hub, Recipe, Weights


class Network(nn.Module):
    """Grey images (B, 1, H, W), normalised → one raw score per label (B, L)."""

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images_B1HW: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(images_B1HW))


def build(recipe: Recipe, *, labels: int, seed: int, fold: int, pretrained: bool = True) -> Network:
    """Build the recipe's network with keyed initial weights; `pretrained` loads its weight file too.

    The file is a local one or the hub's, which is fetched unless it is cached. A searched network
    takes from timm's what fits it; any other must fit whole, and so must every network that takes up
    a model of ours, whose head stays behind. How the colours of its training were normed
    is known by the tag of the hub's name, or of the backbone's for a local file; without a tag they
    count as normed as the grey input is. Weights that a search left (`weights: searched`) are the
    caller's to load: they are no file that the recipe could name.
    """
    backbone = backbones.create(
        recipe.backbone,
        options=recipe.backbone_options,
        seed=seed,
        stream=("transfer", "init", fold),
    )
    weights = recipe.weights
    if pretrained and isinstance(weights, Weights | Hub):
        if isinstance(weights, Hub):
            path, trained = hub.fetch(weights.hub, sha256=weights.sha256), weights.hub
        else:
            path, trained = Path(weights.file), recipe.backbone
        backbones.load_weights(
            backbone, path, sha256=weights.sha256,
            partial=recipe.backbone == backbones.SEARCHED,
            colours=stem.norming(trained, mean=recipe.mean, std=recipe.std),
        )  # fmt: skip
    with seeding.torch_global(seed, "transfer", "head", fold):
        head = _head(recipe.head, features=backbones.features(backbone), labels=labels)
    return Network(backbone, head)


def _head(settings: Head, *, features: int, labels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in settings.hidden:
        layers += [nn.Linear(features, width), nn.ReLU()]
        features = width
    layers += [nn.Dropout(settings.dropout), nn.Linear(features, labels)]
    nn.init.normal_(layers[-1].weight, std=0.01)  # type: ignore[arg-type]
    nn.init.zeros_(layers[-1].bias)  # type: ignore[arg-type]
    return nn.Sequential(*layers)


def start(network: Network, recipe: Recipe, labels_NL: np.ndarray) -> None:
    """Set what a new network's last layer can know from the training labels (N, L) alone: see `losses.prior`.

    With cross_entropy it starts at equal scores for all labels.
    """
    if recipe.loss != "cross_entropy":
        prior_L = losses.prior(recipe.loss, labels_NL, class_weights=recipe.class_weights)
        with torch.no_grad():
            last_layer(network).bias.copy_(prior_L)


def last_layer(network: Network) -> nn.Linear:
    """Return the layer that gives the scores: its outputs are the labels and are never cut."""
    layers = [layer for layer in network.head.modules() if isinstance(layer, nn.Linear)]
    return layers[-1]


def freeze(network: Network, trainable: list[str]) -> None:
    """Leave gradients only to the named groups; raise ValueError for a pattern that matches nothing."""
    if trainable == ["all"]:
        return
    names = [name for name, _ in network.backbone.named_parameters()]
    for pattern in trainable:
        if pattern != "head" and not fnmatch.filter(names, _tail(pattern)):
            near = ", ".join(sorted({name.split(".")[0] for name in names}))
            raise ValueError(f"trainable pattern {pattern!r} matches no parameter; groups: {near}")
    patterns = [_tail(pattern) for pattern in trainable if pattern != "head"]
    for name, parameter in network.backbone.named_parameters():
        parameter.requires_grad_(any(fnmatch.fnmatch(name, pattern) for pattern in patterns))


def _tail(pattern: str) -> str:
    """A group's name stands for everything below it: `conv_head` means `conv_head.*`."""
    return pattern if pattern.endswith(("*", ".weight", ".bias")) else f"{pattern}.*"


def train_mode(network: Network) -> None:
    """Switch to training, except BatchNorm layers that are frozen: those keep their statistics."""
    network.train()
    for layer in backbones.batch_norms(network):
        if not any(parameter.requires_grad for parameter in layer.parameters()):
            layer.eval()
