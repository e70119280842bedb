"""Do maps change when the weights behind them are drawn anew? Cascading randomisation.

Adebayo et al. 2018, "Sanity checks for saliency maps", NeurIPS, https://arxiv.org/abs/1810.03292,
section 3: the layers lose what they learned one after the other, from the output to the input, and
each time the maps are compared with those of the trained network. Maps that stay as they were show
the image or the network's form, not what it learned.

A layer is a convolution or linear layer with the norms behind it. Its weights are drawn again as
PyTorch draws a new layer's, its norms start at scale 1, shift 0, mean 0 and variance 1. Tensors
outside of such layers (a ConvNeXt's scales) stay.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cxr import seeding
from cxr.explaining import likeness, maps
from cxr.training import batches
from cxr.training.models import Member

STEPS = 10
"""At most so many comparisons: the output layer alone, the others in groups of about one size."""
DRAWS = 3
"""Cascades with other random weights: one draw of few places says little."""

Layer = tuple[str, list[nn.Module]]
"""A layer's name and what is drawn anew with it."""


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """How alike maps stay to those of the trained network; T steps, D draws, means over the images."""

    layers: list[str]
    """of each step, the one nearest to the input that has lost its weights by then"""
    shares_T: np.ndarray
    """of the parameters that are drawn anew by then"""
    rank_DT: np.ndarray
    """Spearman's correlation; NaN where every map is flat"""
    ssim_DT: np.ndarray


def cascade(
    member: Member, images_NHW: np.ndarray, labels_N: np.ndarray, maps_Nhw: np.ndarray, *, seed: int
) -> Cascade:
    """Compare the trained network's maps of `labels_N` with those after each step; `member` stays as it is."""
    size_px = images_NHW.shape[1]
    large_NSS = maps.enlarged(maps_Nhw, size_px)
    found_DT2: list[list[tuple[float, float]]] = []
    for draw in range(DRAWS):
        changed = dataclasses.replace(member, network=copy.deepcopy(member.network))
        found_DT2.append([])
        for step in steps(layers(changed, images_NHW)):
            redraw(step, seed=seed, draw=draw)
            other_Nhw = maps.explain(changed, images_NHW, labels_N)
            rank_N = likeness.rank_correlation(maps_Nhw, other_Nhw)
            ssim_N = likeness.ssim(large_NSS, maps.enlarged(other_Nhw, size_px))
            found_DT2[-1].append((mean(rank_N), float(ssim_N.mean())))
    rank_DT, ssim_DT = np.moveaxis(np.array(found_DT2), -1, 0)
    names, shares_T = _progress(steps(layers(member, images_NHW)), member.network)
    return Cascade(layers=names, shares_T=shares_T, rank_DT=rank_DT, ssim_DT=ssim_DT)


def _progress(done: list[list[Layer]], network: nn.Module) -> tuple[list[str], np.ndarray]:
    """Return each step's last layer, and the share of parameters that have lost their values by then."""
    sizes_T = [sum(_size(module) for _, modules in step for module in modules) for step in done]
    whole = sum(tensor.numel() for tensor in network.parameters())
    return [step[-1][0] for step in done], np.cumsum(sizes_T) / whole


def mean(values_N: np.ndarray) -> float:
    """Return the mean of the known values; NaN if there is none."""
    known = values_N[~np.isnan(values_N)]
    return float(known.mean()) if len(known) else float("nan")


def _size(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.parameters(recurse=False))


def layers(member: Member, images_NHW: np.ndarray) -> list[Layer]:
    """Return the network's layers from the output to the input, as one image runs through them."""
    order: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_hook(lambda module, *_, name=name: order.append((name, module)))
        for name, module in member.network.named_modules()
        if hasattr(module, "reset_parameters") and (_size(module) or list(module.buffers(recurse=False)))
    ]  # fmt: skip
    with torch.no_grad():
        member.network.eval()(next(batches.scored(images_NHW[:1], member.recipe)))
    for hook in hooks:
        hook.remove()
    found: list[Layer] = []
    for name, module in dict(order).items():
        weight = getattr(module, "weight", None)
        if not found or (weight is not None and weight.ndim > 1):
            found.append((name, []))
        found[-1][1].append(module)
    return found[::-1]


def steps(found: list[Layer], most: int = STEPS) -> list[list[Layer]]:
    """Return the layers in at most `most` groups, in their order: the first alone, the others evenly."""
    rest = found[1:]
    ends = np.linspace(0, len(rest), min(most - 1, len(rest)) + 1).round().astype(int).tolist()
    return [found[:1], *(rest[a:b] for a, b in itertools.pairwise(ends))]


def redraw(step: list[Layer], *, seed: int, draw: int) -> None:
    """Give the layers of a step the weights of new ones, by a stream of each layer's name."""
    for name, modules in step:
        with seeding.torch_global(seed, "explain", "new weights", draw, name):
            for module in modules:
                module.reset_parameters()  # type: ignore[operator]
