"""naswot: log|K| of the codes that images leave in a network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import naswot

COST = Cost(parameters=1, macs=1, activation_bytes=1)


def score(network, inputs):
    return naswot.score(network, torch.tensor(inputs), np.zeros((len(inputs), 1)), COST)


def test_it_is_the_determinant_of_the_agreements_counted_by_hand():
    # codes 100, 010, 111: 0 and 1 agree on one unit of three, 0 and 2 on one, 1 and 2 on one
    inputs = [[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [1.0, 1.0, 1.0]]
    expected = np.linalg.det(np.array([[3, 1, 1], [1, 3, 1], [1, 1, 3]]) + np.eye(3))
    assert score(nn.ReLU(inplace=True), inputs) == pytest.approx(math.log(expected))
    assert score(nn.Sequential(nn.ReLU6(), nn.Identity()), inputs) == pytest.approx(math.log(expected))  # fmt: skip


def test_images_of_one_code_score_less_and_stay_finite():
    alike, apart = [[1.0, 1.0]] * 2, [[1.0, 1.0], [-1.0, -1.0]]
    assert score(nn.SiLU(), alike) == pytest.approx(math.log(5))  # |3 2; 2 3|
    assert score(nn.SiLU(), apart) == pytest.approx(math.log(9))


def test_a_network_without_activations_is_refused():
    with pytest.raises(ValueError, match=r"activations .*ReLU.* and the network has none"):
        score(nn.Identity(), [[1.0]])
