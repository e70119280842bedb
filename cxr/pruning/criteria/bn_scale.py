"""Rank channels by the scale that BatchNorm gives them: near 0, the channel is nearly constant.

Liu et al. 2017, "Learning Efficient Convolutional Networks through Network Slimming", section 3.
Where several BatchNorms stand over the same channels (branches that are added, a depthwise
convolution's own), the mean of their |scale| counts.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.evidence import Evidence


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; None without a BatchNorm: nothing to rank by."""
    weights = [network.get_submodule(name).weight for name in group.norms]
    scales = [w.detach().double().abs().numpy() for w in weights if w is not None]  # type: ignore[operator]
    return np.mean(scales, axis=0) if scales else None
