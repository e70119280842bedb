"""Rank channels by the L2 norm of the filters that make them: few large weights count more than in L1.

He et al. 2018, "Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks", IJCAI.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.criteria import _voices
from cxr.pruning.evidence import Evidence


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; the mean over a group's channels is about 1."""
    return _voices.mean(
        [np.sqrt(layer.square().sum(dim=1).numpy()) for layer in _voices.filters(network, group)]
    )
