"""Rank channels by the L1 norm of the filters that make them: a filter of small weights says little.

Li et al. 2017, "Pruning Filters for Efficient ConvNets", section 3.1.
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
        [layer.abs().sum(dim=1).numpy() for layer in _voices.filters(network, group)]
    )
