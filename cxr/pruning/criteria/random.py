"""Rank channels by chance: what a criterion must beat to be worth its name.

Mittal et al. 2018, "Recovering from Random Pruning: On the Plasticity of Deep Convolutional Neural
Networks", WACV: after fine-tuning it is often hard to beat.
"""

from __future__ import annotations

import numpy as np
from torch import nn

from cxr import seeding
from cxr.backbones.surgery import Group
from cxr.pruning.evidence import Evidence


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,) in [0, 1), drawn anew for each seed, fold and group."""
    rng = seeding.stream(evidence.seed, "prune", "criterion", evidence.fold, group.name)
    return rng.random(group.channels)
