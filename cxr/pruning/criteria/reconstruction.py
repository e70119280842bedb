"""Rank channels by what those who read them would miss, had the cheaper ones gone and been made up for.

Backward elimination: of the channels left, the one goes whose loss the readers' weights for the others can
make up for best. Its score is what it takes with it, and at least that of the one before. For a quadratic
error this is the Optimal Brain Surgeon of Hassibi and Stork 1993, "Second Order Derivatives for Network
Pruning", NIPS, with whole channels in the place of weights and layers' outputs in that of the loss (Frantar
and Alistarh 2022, "Optimal Brain Compression", NeurIPS). Scores are shares of the variance that the
readers put out, so they can be compared from group to group.

Shapes: C channels, E inputs of a reader that each of them is, O outputs of the reader, T taps of its kernel.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from cxr.backbones.surgery import Group
from cxr.pruning.evidence import Evidence
from cxr.pruning.reconstruction import Moments

MOMENTS = True
_AT_A_TIME = 512
"""Of more channels than that, two or more go before the weights are refitted."""
_MORE = 1 + 1e-9
"""So that a channel that goes later has a higher score, though by itself it cost less."""


def scores(network: nn.Module, group: Group, evidence: Evidence) -> np.ndarray | None:
    """Return float64 (channels,), higher is worth more; None where no reader of the group was measured.

    Raises ValueError if the evidence holds no moments of the group's readers.
    """
    readers = []
    for (name, each), inputs in zip(group.takers, group.inputs, strict=True):
        if name not in evidence.moments:
            raise ValueError(
                f"no moments were measured of what flows into {name}: name reconstruction among the "
                "criteria that the evidence is gathered for, on this network"
            )
        covariance_CC = _covariance(evidence.moments[name], inputs, each)
        weight = network.get_submodule(name).weight.detach().double().numpy()  # type: ignore[operator]
        weights_OCT = weight[:, list(inputs)].reshape(len(weight), group.channels, -1)
        gram_CC = np.einsum("oct,odt->cd", weights_OCT, weights_OCT, optimize=True)
        if (put_out := float((gram_CC * covariance_CC).sum())) > 0:
            readers.append((np.linalg.inv(covariance_CC), gram_CC / put_out))
    return eliminated(readers) if readers else None


def _covariance(seen: Moments, inputs: Sequence[int], each: int) -> np.ndarray:
    """Return how the channels vary together as one reader sees them; where each is several inputs, their mean."""
    places = np.array(inputs).reshape(-1, each)
    whole = seen.covariance_CC()
    return sum(whole[np.ix_(column, column)] for column in places.T) / each


def eliminated(readers: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return what is lost with each channel when those missed least go first: float64 (channels,), rising so.

    A reader is the inverse (C, C) of the covariance of what it reads, and the products (C, C) of its
    weights, which take up the work of each channel that goes. Of many channels several go at a time.
    """
    left = np.arange(len(readers[0][0]))
    found, lost = np.zeros(len(left)), 0.0
    while len(left):
        errors_C = sum(np.diag(gram) / np.diag(inverse) for inverse, gram in readers)
        order = np.argsort(errors_C, kind="stable")
        gone, stays = np.split(order, [1 + len(left) // _AT_A_TIME])
        for place in gone:
            lost = max(float(errors_C[place]), lost * _MORE)  # type: ignore[index]
            found[left[place]] = lost
        stays = np.sort(stays)
        readers = [_without(inverse, gram, gone, stays) for inverse, gram in readers]
        left = left[stays]
    return found


def _without(
    inverse_CC: np.ndarray, gram_CC: np.ndarray, gone: np.ndarray, stays: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return a reader without the channels gone, G, whose work its weights for the others, K, have taken up."""
    across_GK = inverse_CC[np.ix_(gone, stays)]
    share_GK = np.linalg.solve(inverse_CC[np.ix_(gone, gone)], across_GK)
    taken_KK = share_GK.T @ gram_CC[np.ix_(gone, stays)]
    twice_KK = share_GK.T @ gram_CC[np.ix_(gone, gone)] @ share_GK
    inverse_KK = inverse_CC[np.ix_(stays, stays)] - across_GK.T @ share_GK
    return inverse_KK, gram_CC[np.ix_(stays, stays)] - taken_KK - taken_KK.T + twice_KK
