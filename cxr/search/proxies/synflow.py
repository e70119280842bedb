"""synflow: a network is good if much can flow through all of its weights; it needs no images.

Tanaka, Kunin, Yamins & Ganguli 2020, "Pruning neural networks without any data by iteratively
conserving synaptic flow", NeurIPS, eq. 2; as a score of networks: Abdelfattah, Mehrotra, Dudziak &
Lane 2021, "Zero-cost proxies for lightweight NAS", ICLR. Every weight is taken without its sign, an
image of ones is shown, and |weight x gradient of the summed outputs| is added up. Normalisation is
left out, as in the latter's code: it would undo the flow. The score is the logarithm.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import _glance

_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)


def score(network: nn.Module, images_B1HW: torch.Tensor, labels_BL: np.ndarray, cost: Cost) -> float:  # fmt: skip
    """Return the logarithm of the sum over all weights; minus infinity if nothing flows."""
    shadow = _glance.shadow(network).double()  # products over many layers leave float32's range
    for layer in shadow.modules():
        if isinstance(layer, _NORMS):
            layer.forward = _as_it_came  # type: ignore[assignment]
    weights = [weight.requires_grad_(True) for weight in shadow.parameters()]
    with torch.no_grad():
        for weight in weights:
            weight.abs_()
    ones = torch.ones_like(images_B1HW[:1], dtype=torch.float64)
    flow = shadow(ones).sum()
    gradients = torch.autograd.grad(flow, weights, allow_unused=True)
    total = sum(
        float((weight.detach() * gradient).abs().sum())
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is not None
    )
    return math.log(total) if total > 0 else -math.inf


def _as_it_came(maps_BCHW: torch.Tensor) -> torch.Tensor:
    return maps_BCHW
