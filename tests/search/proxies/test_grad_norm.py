"""grad_norm: the length of the gradient of the loss at the first weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import grad_norm

COST = Cost(parameters=1, macs=1, activation_bytes=1)


def test_it_is_the_norm_worked_out_by_hand_and_unknown_labels_are_left_out():
    network = nn.Linear(2, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)
    images = torch.tensor([[3.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    labels = np.array([[1.0], [0.0], [np.nan]])
    # at a score of 0 the loss pulls by -1/2 and +1/2, averaged over the two known labels
    gradient = [-0.25 * 3.0, 0.25 * 1.0, -0.25 + 0.25]
    expected = np.linalg.norm(gradient)
    assert grad_norm.score(network, images, labels, COST) == pytest.approx(expected)
