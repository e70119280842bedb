"""synflow: |weight x gradient| of the flow through weights without signs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from cxr.architectures import Cost
from cxr.search.proxies import synflow

COST = Cost(parameters=1, macs=1, activation_bytes=1)
IMAGES, LABELS = torch.zeros(2, 3), np.zeros((2, 1))


def linear(weights):
    layer = nn.Linear(len(weights[0]), len(weights), bias=False)
    layer.weight.data = torch.tensor(weights)
    return layer


def test_each_layer_adds_the_whole_flow():
    first, second = linear([[1.0, -2.0, 3.0], [0.0, 1.0, -1.0]]), linear([[-2.0, 0.5]])
    flow = 2 * 6 + 0.5 * 2  # paths of ones through weights without sign
    network = nn.Sequential(first, nn.BatchNorm1d(2), nn.ReLU(), second)
    # both layers carry the whole flow; the normalisation is passed by
    assert synflow.score(network, IMAGES, LABELS, COST) == pytest.approx(math.log(2 * flow))


def test_where_nothing_flows_it_is_minus_infinity():
    assert synflow.score(linear([[0.0, 0.0, 0.0]]), IMAGES, LABELS, COST) == -math.inf


def test_deep_networks_leave_float32s_range_and_no_harm_is_done():
    layers = [linear([[1000.0] * 3] * 3) for _ in range(40)]
    found = synflow.score(nn.Sequential(*layers), IMAGES, LABELS, COST)
    # 3 outputs, 3 inputs each of the first; each layer multiplies by 3000, each carries the flow
    assert found == pytest.approx(math.log(40 * 3) + 40 * math.log(3000.0))
