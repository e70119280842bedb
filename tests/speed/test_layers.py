"""One layer alone: the file holds the layer that was asked for, and its time is the layer's."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from cxr import numerics
from cxr.pruning.latency import Shape
from cxr.speed import layers

numerics.exact_torch()
ONE = (1, 1)
PLAIN = Shape(kind="plain", kernel=(3, 3), stride=(2, 2), dilation=ONE, filters=1, side_px=(24, 24))
SHAPES = {
    "plain": (PLAIN, 8, 16, nn.Conv2d(8, 16, 3, stride=2, padding=1)),
    "uneven": (
        Shape(kind="plain", kernel=(1, 7), stride=ONE, dilation=ONE, filters=1, side_px=(12, 20)),
        8, 24, nn.Conv2d(8, 24, (1, 7), padding=(0, 3)),
    ),
    "dilated": (
        Shape(kind="plain", kernel=(3, 3), stride=ONE, dilation=(2, 2), filters=1, side_px=(12, 12)),
        8, 8, nn.Conv2d(8, 8, 3, dilation=2, padding=2),
    ),
    "pointwise": (
        Shape(kind="pointwise", kernel=ONE, stride=ONE, dilation=ONE, filters=1, side_px=(7, 7)),
        32, 40, nn.Conv2d(32, 40, 1),
    ),
    "depthwise": (
        Shape(kind="depthwise", kernel=(5, 5), stride=ONE, dilation=ONE, filters=1, side_px=(9, 9)),
        1, 48, nn.Conv2d(48, 48, 5, padding=2, groups=48),
    ),
    "grouped": (
        Shape(kind="grouped", kernel=(3, 3), stride=ONE, dilation=ONE, filters=16, side_px=(9, 9)),
        8, 64, nn.Conv2d(32, 64, 3, padding=1, groups=4),
    ),
    "linear": (
        Shape(kind="linear", kernel=ONE, stride=ONE, dilation=ONE, filters=1, side_px=(1, 3)),
        40, 5, nn.Linear(40, 5),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_the_file_computes_what_torch_computes(name):
    shape, inputs, outputs, layer = SHAPES[name]
    content = layers.model(shape, inputs, outputs)
    weight, bias = map(onnx.numpy_helper.to_array, onnx.load_from_string(content).graph.initializer)
    with torch.no_grad():
        assert weight.shape == layer.weight.shape
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        layer.bias.copy_(torch.from_numpy(bias.copy()))
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        x = np.linspace(-1, 1, int(np.prod(given.shape)), dtype=np.float32).reshape(given.shape)
        expected = layer(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(None, {given.name: x})[0], expected, atol=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_every_kind_can_be_timed(name):
    shape, inputs, outputs, _ = SHAPES[name]
    content = layers.model(shape, inputs, outputs)
    assert 0.5 <= layers.microseconds(content, runs=8, threads=1) < 1e5


def test_sixteen_times_the_work_takes_longer():
    """Far more than noise: the small one is a sixteenth of the large one's work."""
    times = [
        layers.microseconds(layers.model(PLAIN, width, width), runs=60, threads=1)
        for width in (32, 128)
    ]
    assert times[1] > 3 * times[0]


def test_the_same_layer_gives_the_same_file():
    assert layers.model(PLAIN, 8, 8) == layers.model(PLAIN, 8, 8) != layers.model(PLAIN, 8, 16)


def test_the_grid_is_fine_where_kernels_are_and_doubles_beyond():
    assert layers.counts(1) == (1,)
    assert layers.counts(20) == (1, 8, 16, 20)
    assert layers.counts(300) == (1, 8, 16, 24, 32, 48, 64, 96, 128, 256, 300)
    assert layers.counts(64, multiple=16) == (16, 32, 48, 64)


def test_cheap_layers_are_run_more_often():
    assert layers.runs(PLAIN, 8, 8) == 200  # 12 x 12 places x 9 x 8 x 8 = 83 k
    assert layers.runs(PLAIN, 512, 512) == 8  # 340 M
    assert layers.runs(PLAIN, 64, 64) == 200_000_000 // (12 * 12 * 9 * 64 * 64)


def test_the_middle_half_forgets_what_disturbed():
    assert layers._middle([3, 4, 4, 5, 900, 3, 4, 1]) == (3 + 4 + 4 + 4) / 4 + 0.5
