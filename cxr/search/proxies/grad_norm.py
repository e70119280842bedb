"""grad_norm: a network is good if one batch pulls hard at its untrained weights.

Abdelfattah, Mehrotra, Dudziak & Lane 2021, "Zero-cost proxies for lightweight NAS", ICLR: the
Euclidean norm of the loss's gradient. The loss here is binary cross-entropy per label, unknown ones
left out: it takes one label per image and many alike.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import _glance
from cxr.training import losses


def score(network: nn.Module, images_B1HW: torch.Tensor, labels_BL: np.ndarray, cost: Cost) -> float:  # fmt: skip
    """Return the norm over all weights."""
    shadow = _glance.shadow(network)
    weights = [weight.requires_grad_(True) for weight in shadow.parameters()]
    loss = losses.make("bce", labels_BL, class_weights="none", label_smoothing=0.0)
    labels = torch.as_tensor(labels_BL, dtype=torch.float32, device=images_B1HW.device)
    gradients = torch.autograd.grad(loss(shadow(images_B1HW), labels), weights, allow_unused=True)
    squares = [float(each.double().square().sum()) for each in gradients if each is not None]
    return float(np.sqrt(sum(squares)))
