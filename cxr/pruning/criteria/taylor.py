"""Rank channels by how much the loss would change, to first order, if their filters were gone.

Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning", CVPR: a filter's importance
is the square of its sum of gradient x weight, which is the loss's slope along a gate on the filter.
The gradients are gathered once, on the parent (cxr.pruning.evidence).
"""

from __future__ import annotations

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.criteria import _voices
from cxr.pruning.evidence import Evidence

GRADIENTS = True


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; None where no gradient arrives at the group.

    Their mean is that of the layers' importances, which are squares of losses everywhere: unlike
    norms, they can be compared from group to group. Raises ValueError if the evidence holds no
    gradients of the group's layers.
    """
    names = _voices.layers(group)
    if lacking := [name for name in names if name not in evidence.taylor]:
        raise ValueError(
            f"no gradients were gathered of {lacking[0]}: name taylor among the criteria that the "
            "evidence is gathered for, on this network"
        )
    importances = [evidence.taylor[name] for name in names]
    level = np.mean([layer.mean() for layer in importances])
    return _voices.mean(importances) * level if level > 0 else None
