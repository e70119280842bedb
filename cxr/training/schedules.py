"""Learning-rate factors per step, as plain functions."""

from __future__ import annotations

import math


def warmup_cosine(step: int, *, steps: int, warmup: int) -> float:
    """Return the factor for `step` in 0..steps-1: linear up over `warmup` steps, then a cosine to 0.

    Loshchilov & Hutter 2017, "SGDR", equation 5, without restarts.
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
