"""Cut channels out of a trained network, and make up for them as far as that goes without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from cxr import backbones, prepared
from cxr.backbones import surgery
from cxr.metrics import cost
from cxr.pruning import reconstruction
from cxr.pruning.parent import Fold
from cxr.training import batches
from cxr.training.network import Network, last_layer
from cxr.training.recipe import Recipe

_BATCH = 64


def groups(network: Network, *, size_px: int) -> list[surgery.Group]:
    """Return the groups of channels that can be cut; the last layer's outputs are the labels and stay."""
    return surgery.groups(network, size_px=size_px, ignored=[last_layer(network)])


def carve(
    network: Network,
    recipe: Recipe,
    kept: Mapping[str, Sequence[int]],
    images: prepared.Prepared,
    fold: Fold,
) -> None:
    """Cut as `cut` does, in place; refit what stays, if the fold says so, and recalibrate, on the fold's images."""
    size_px, shown = images.size_px, images.gather(fold.recalibration_rows)
    if fold.reconstruct:
        found = groups(network, size_px=size_px)
        reconstruction.refit(network, recipe, shown, reconstruction.lost_inputs(found, kept))
    cut(network, kept, size_px=size_px)
    recalibrate(network, recipe, shown)


def cut(network: Network, kept: Mapping[str, Sequence[int]], *, size_px: int) -> None:
    """Remove all but the `kept` channels, in place.

    Raises ValueError if no parameter went with them: a network must not be judged as pruned that
    Torch-Pruning left as it was.
    """
    before = cost.parameters(network)
    surgery.keep(network, kept, size_px=size_px, ignored=[last_layer(network)])
    after = cost.parameters(network)
    if kept and after >= before:
        raise ValueError(
            f"cutting {len(kept)} groups of channels left {after:,} parameters of {before:,}: they "
            "must fall; this network can't be pruned, take another backbone"
        )


def recalibrate(network: Network, recipe: Recipe, images_NHW: np.ndarray) -> None:
    """Measure every BatchNorm's mean and variance anew, as the mean over batches of these images.

    The parent's statistics are of channels that are gone, and a cut network judged by them looks
    worse than it is (Li et al. 2020, "EagleEye", section 3). No weight changes, nothing is drawn.
    """
    network.eval()  # no dropout
    layers = backbones.batch_norms(network)
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()  # type: ignore[operator]
        layer.momentum = None  # type: ignore[assignment]  # the plain mean over batches
        layer.train()
    parts = np.array_split(images_NHW, -(-len(images_NHW) // _BATCH))
    with torch.no_grad():
        for part in parts:
            network(batches.normalise(part, mean=recipe.mean, std=recipe.std))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
