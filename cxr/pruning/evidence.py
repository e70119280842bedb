"""What a criterion may know of a trained network beside its weights: its gradients, what flows, and a seed.

Gathered once per fold, on the parent, and only what the criteria in use ask for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import torch
from torch import nn

from cxr import plugins
from cxr.backbones import surgery
from cxr.pruning import reconstruction
from cxr.pruning.reconstruction import Moments
from cxr.training import batches, losses
from cxr.training.loop import Part
from cxr.training.network import Network
from cxr.training.recipe import Recipe

# Smaller ones rank no better, larger ones worse: over 128 images the slopes of a trained network cancel
# out within a batch. (Phantom, two networks: Kendall's tau with the loss without the channel, mean over
# groups, at 16: .29 and .24, at 64: .25 and .19.)
_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a criterion may know beside the weights of the parent."""

    seed: int
    """of the study: a criterion that draws has its own stream under it"""
    fold: int
    """whose network it is"""
    taylor: Mapping[str, np.ndarray]
    """layer → float64 (filters,), see `gather`; empty unless a criterion asked for gradients"""
    moments: Mapping[str, Moments] = field(default_factory=dict)
    """layer → of what flows into it; empty unless a criterion asked for moments"""


def gather(
    network: Network, recipe: Recipe, part: Part, *, seed: int, fold: int, criteria: Collection[str]
) -> Evidence:
    """Gather what `criteria` (plug-in names) ask for from images of train; the network stays as it is.

    `taylor` has every convolution and linear layer, depthwise ones too: for each filter the square of
    its sum of gradient x weight, as the mean over fixed batches of `part` in its order. The gradient
    is that of the recipe's loss (its class weights are counted on `part`; a label that is NaN has no
    say) with plain images and BatchNorm in evaluation: by a batch's own statistics the loss would not
    change with a filter's size, and the sum would be 0. `moments`: see cxr.pruning.reconstruction. Raises ValueError for an unknown criterion,
    and where images are asked for, if `part` is empty or a gradient is not a number.
    """
    loaded = [plugins.load("pruning/criteria", name) for name in criteria]
    gradients, flows = (_asked(loaded, what) for what in ("GRADIENTS", "MOMENTS"))
    if (gradients or flows) and not len(part.images_NHW):
        raise ValueError(
            f"fold {fold} has no images to look at, which criteria like taylor need: give "
            "recalibration_images at least 1 and split.fractions.train a share"
        )
    taylor = _taylor(network, recipe, part, fold=fold) if gradients else {}
    moments = _moments(network, recipe, part) if flows else {}
    return Evidence(seed=seed, fold=fold, taylor=taylor, moments=moments)


def _asked(criteria: Sequence[ModuleType], what: str) -> bool:
    return any(getattr(criterion, what, False) for criterion in criteria)


def _moments(network: Network, recipe: Recipe, part: Part) -> dict[str, Moments]:
    """Return what flows into every convolution and linear layer that reads all channels at once."""
    layers = _layers(network).items()
    names = [name for name, layer in layers if getattr(layer, "groups", 1) == 1]
    with surgery.modes_kept(network):
        return reconstruction.moments(network, recipe, part.images_NHW, names)


def _taylor(network: Network, recipe: Recipe, part: Part, *, fold: int) -> dict[str, np.ndarray]:
    """Return the mean over batches of each filter's squared sum of gradient x weight, by layer."""
    images = len(part.images_NHW)
    loss = losses.make(
        recipe.loss, part.labels_NL,
        class_weights=recipe.class_weights, label_smoothing=recipe.label_smoothing,
    )  # fmt: skip
    weights = {name: layer.weight for name, layer in _layers(network).items()}
    sums = {name: np.zeros(len(weight)) for name, weight in weights.items()}
    pieces = np.array_split(np.arange(images), -(-images // _BATCH))
    with _watched(network, list(weights.values())):
        for rows in pieces:
            inputs = batches.normalise(part.images_NHW[rows], mean=recipe.mean, std=recipe.std)
            value = loss(network(inputs), torch.from_numpy(part.labels_NL[rows]))
            slopes = torch.autograd.grad(value, list(weights.values()), materialize_grads=True)
            for (name, weight), slope in zip(weights.items(), slopes, strict=True):
                sums[name] += _importance(weight.detach(), slope)
    _check(sums, fold=fold)
    return {name: total / len(pieces) for name, total in sums.items()}


def _layers(network: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return every convolution and linear layer by its dotted name, in network order."""
    modules = network.named_modules()
    return {name: layer for name, layer in modules if isinstance(layer, nn.Conv2d | nn.Linear)}


def _importance(weight: torch.Tensor, slope: torch.Tensor) -> np.ndarray:
    """Return the square of each filter's sum of gradient x weight: float64 (filters,)."""
    return (weight.double() * slope.double()).flatten(1).sum(dim=1).square().numpy()


@contextlib.contextmanager
def _watched(network: nn.Module, weights: list[torch.Tensor]) -> Iterator[None]:
    """Evaluate, with gradients of all `weights`; put modes and frozen weights back afterwards."""
    frozen = [weight for weight in weights if not weight.requires_grad]
    try:
        for weight in frozen:
            weight.requires_grad_(True)
        with surgery.modes_kept(network), torch.enable_grad():
            network.eval()
            yield
    finally:
        for weight in frozen:
            weight.requires_grad_(False)


def _check(sums: Mapping[str, np.ndarray], *, fold: int) -> None:
    """Raise ValueError if an importance is not a number: a network that diverged can't be ranked."""
    wrong = [name for name, total in sums.items() if not np.isfinite(total).all()]
    if wrong:
        raise ValueError(
            f"the gradients of fold {fold} are not numbers in {len(wrong)} layers (first: {wrong[0]}), "
            "so criterion taylor can't rank: train the parent anew with a lower learning rate"
        )
