"""A pruned network as a mask: one bit per filter says whether it stays. For small networks.

The search may then contradict the criterion, which in the other encoding says who goes first; but it
has as many genes as the network has filters, and channels no longer come in multiples of 8. The bits
stand in the order of the criterion, best first. Where a number of channels must stay or go together
(`Group.multiple`: groups of a GroupNorm, of a convolution in groups), there is one bit for so many, as
they are ranked: of bits for single channels nearly none would add up to full groups, and channels left
without bits would cost what they cost however few MACs may stay.

Which genomes leave a group without a channel, `Encoding.living` says; none of them is tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.encoding import Choice, Encoding, assemble


def encode(
    network: nn.Module,
    groups: Sequence[Group],
    scores: Mapping[str, np.ndarray | None],
    *,
    size_px: int,
) -> Encoding:
    """Return the encoding of a network's `groups`, ranked by each group's `scores` (by name).

    A group of a single filter or block, or without scores, has no bit and stays whole. Raises
    ValueError if no bit is left.
    """
    return assemble(network, groups, scores, _bits, more_than="one filter", size_px=size_px)


def _bits(group: Group) -> list[tuple[slice, Choice]]:
    size = group.multiple
    starts = range(0, group.channels, size)
    return [(slice(at, at + size), (0, size)) for at in starts] if len(starts) > 1 else []
