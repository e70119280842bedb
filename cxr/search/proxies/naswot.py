"""naswot: a network is good if, untrained, it sends no two images through the same active units.

Mellor, Turner, Storkey & Crowley 2021, "Neural architecture search without training", ICML: each
image of a batch has a code, one bit per unit: whether the input of the activation is above 0. The
score is log|K|, where K counts for each two images the units on which they agree. One is added to
the diagonal, so that images of equal codes make the score small and not minus infinity.

Activations that are modules are seen; SiLU and hard swish, which the paper does not treat, are read
as ReLU is.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import _glance

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.Hardswish)


def score(network: nn.Module, images_B1HW: torch.Tensor, labels_BL: np.ndarray, cost: Cost) -> float:  # fmt: skip
    """Return log|K + 1|; raises ValueError for a network without a known activation."""
    shadow = _glance.shadow(network)
    agreeing_BB = torch.eye(len(images_B1HW), dtype=torch.float64)
    seen = 0

    def count(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal agreeing_BB, seen
        codes_BU = (inputs[0] > 0).flatten(1).double().cpu()
        agreeing_BB = agreeing_BB + codes_BU @ codes_BU.T + (1 - codes_BU) @ (1 - codes_BU).T
        seen += 1

    for layer in shadow.modules():
        if isinstance(layer, _ACTIVATIONS):
            layer.register_forward_pre_hook(count)
    with torch.no_grad():
        shadow(images_B1HW)
    if not seen:
        known = ", ".join(kind.__name__ for kind in _ACTIVATIONS)
        raise ValueError(f"naswot looks at activations ({known}) and the network has none")
    return float(np.linalg.slogdet(agreeing_BB.numpy())[1])
