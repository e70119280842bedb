"""parameters: more parameters, better network. The baseline of all proxies."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cxr.architectures import Cost


def score(network: nn.Module, images_B1HW: torch.Tensor, labels_BL: np.ndarray, cost: Cost) -> float:  # fmt: skip
    """Return the number of parameters."""
    return float(cost.parameters)
