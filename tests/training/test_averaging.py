"""The moving average: a short memory at first, then the one asked for; whole numbers are taken as they are."""

import pytest
import torch
from torch import nn

from cxr.training.averaging import Average
from cxr.training.network import Network


def network(weight: float) -> Network:
    made = Network(nn.BatchNorm2d(1), nn.Linear(1, 1))
    nn.init.constant_(made.head.weight, weight)
    return made


def test_the_first_steps_weigh_more_than_the_decay_says():
    moving = network(0.0)
    average = Average(moving, decay=0.3)
    seen = []
    for weight in (1.0, 2.0, 3.0):
        nn.init.constant_(moving.head.weight, weight)
        average.update(moving)
        seen.append(float(average.tensors()["head.weight"]))
    first = 1.0 * (1 - 2 / 11)
    second = first * 3 / 12 + 2.0 * (1 - 3 / 12)
    third = second * 0.3 + 3.0 * 0.7  # 4 / 13 is above 0.3
    assert seen == pytest.approx([first, second, third])


def test_counts_are_copied_and_the_start_is_left_alone():
    moving = network(0.0)
    average = Average(moving, decay=0.9)
    moving.backbone.num_batches_tracked += 5
    assert average.tensors()["backbone.num_batches_tracked"] == 0
    average.update(moving)
    assert average.tensors()["backbone.num_batches_tracked"] == 5


def test_without_decay_it_is_the_network_and_its_tensors_a_copy():
    moving = network(1.0)
    average = Average(moving, decay=0.0)
    kept = average.tensors()
    nn.init.constant_(moving.head.weight, 2.0)
    average.update(moving)
    assert average.network is moving
    assert float(kept["head.weight"]) == 1.0
    assert torch.equal(average.tensors()["head.weight"], moving.head.weight)
