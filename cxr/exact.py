"""Operations of torch that not every processor rounds alike, and what we call in their place.

torch.sqrt on the CPU is MKL's: it starts from the processor's own estimate of 1 / sqrt(x) (RSQRTPS), which
makers are free to choose, and ends a unit in the last place off in a fifth of all cases. No setting of MKL
changes that. AdamW takes its roots itself with `fused=True` (vsqrtps, correctly rounded), as the loop has it.
"""

from __future__ import annotations

import numpy as np
import torch


def square_root(values: torch.Tensor) -> torch.Tensor:
    """Return the square roots, correctly rounded (IEEE 754) on every processor; without gradient.

    In a graph that is being exported it stands as the operator Sqrt, for which the runtime answers.
    """
    if torch.compiler.is_exporting():
        return values.sqrt()
    return torch.from_numpy(np.sqrt(values.detach().numpy()))
