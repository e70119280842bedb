"""Costs: the figures that papers print for these networks, counted without running them."""

import pytest
import timm
from torch import nn

from cxr.metrics import cost


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [("resnet18", 11_689_512, 1_814_073_344), ("mobilenetv2_100", 3_504_872, 300_774_272)],
)
def test_published_costs_at_224_px(name, parameters, macs):
    network = timm.create_model(name)
    assert cost.parameters(network) == parameters
    assert cost.macs(network, size_px=224, channels=3) == macs


def test_grouped_convolution_counts_a_group_at_a_time():
    network = nn.Conv2d(8, 16, 3, padding=1, groups=4)
    assert cost.macs(network, size_px=10, channels=8) == 10 * 10 * 16 * 2 * 9


@pytest.mark.parametrize(
    ("name", "outputs"),
    # He et al. 2016, table 1: sides 112, 56, 28, 14, 7; each stage's projection and the classifier
    [("resnet18", 64 * 112**2 + 4 * 64 * 56**2 + 5 * (128 * 28**2 + 256 * 14**2 + 512 * 7**2) + 1000)],
)  # fmt: skip
def test_activation_bytes_are_all_outputs_of_convolutions_and_linear_layers(name, outputs):
    network = timm.create_model(name)
    assert cost.activation_bytes(network, size_px=224, channels=3) == 4 * outputs


def test_a_layer_that_runs_twice_keeps_two_outputs():
    twice = nn.Conv2d(2, 2, 1)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), twice, twice, nn.Flatten(), nn.Linear(32, 5))
    assert cost.activation_bytes(network, size_px=6) == 4 * (3 * 2 * 16 + 5)


def test_layers_are_counted_by_name_as_often_as_they_run():
    twice, idle = nn.Conv2d(2, 2, 1), nn.Linear(7, 7)
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), twice, nn.ReLU(), twice, nn.Flatten(), nn.Linear(32, 5)
    )
    network[2].register_module("idle", idle)
    found = {"0": 16 * 2 * 9, "1": 2 * 16 * 2 * 2, "2.idle": 0, "5": 32 * 5}
    assert list(cost.by_layer(network, size_px=6).items()) == list(found.items())
    assert cost.macs(network, size_px=6) == sum(found.values())


def test_counting_leaves_the_network_where_it_was():
    network = nn.Linear(4, 2)
    cost.macs(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), network), size_px=8)
    assert network.weight.device.type == "cpu"
