"""Evaluating: onnx's own meaning of a graph, value by value."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cxr import numerics, seeding
from cxr.exporting import evaluating, graph
from cxr.training import models
from tests.exporting import toys

numerics.exact_torch()


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv3_small_100"])
def test_it_says_what_pytorch_says(backbone):
    member, images = toys.member(backbone=backbone, size_px=64), toys.images(70, 64)
    content = graph.to_onnx(member, size_px=64, about={})
    found = evaluating.probabilities(content, images)
    assert found.shape == (70, 3)
    assert np.abs(found - models.predict_once(member, images)).max() < 1e-4


def test_each_value_is_told_and_may_be_changed():
    content = graph.to_onnx(toys.member(**toys.SMALL), size_px=32, about={})
    model, told = onnx.load_from_string(content), []

    def watch(node, name, value):
        told.append((node.op_type, name, value.shape))
        return np.zeros_like(value) if name == "maps" else value

    found = evaluating.run(model, toys.images(2), watch=watch)
    assert len(told) == len(model.graph.node)
    assert told[-1][2] in ((2, 3), (2, 3, 4, 4)) and not found["maps"].any()


def one(op: str, *more: np.ndarray, **attributes):
    """Return a graph of one operator on `images`, its other inputs constants."""
    constants = [numpy_helper.from_array(x, f"c{i}") for i, x in enumerate(more)]
    node = helper.make_node(op, ["images", *(x.name for x in constants)], ["y"], **attributes)
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 9, 9])
    y = helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)
    made = helper.make_graph([node], "one", [images], [y], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)])


WEIGHTS = seeding.stream(1, "w").normal(size=(2, 1, 3, 3)).astype(np.float32)
CASES = {
    "uneven padding": one("Conv", WEIGHTS, pads=[0, 0, 1, 1], strides=[2, 2]),
    "holes": one("Conv", WEIGHTS, np.float32([1, 2]), pads=[2, 2, 2, 2], dilations=[2, 2]),
    "largest": one("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
    "mean, ceiling": one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    "mean of padding": one(
        "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "to whole numbers": one("QuantizeLinear", np.float32(1.7), np.uint8(3)),
    "to signed ones": one("QuantizeLinear", np.float32(0.5), np.int8(-2)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_is_what_onnx_says_it_is(name):
    images = toys.images(2, 9)
    usual = onnx.reference.ReferenceEvaluator(CASES[name])
    (wanted,) = usual.run(None, {"images": images[:, None].astype(np.float32)})
    found = evaluating.run(CASES[name], images)["y"]
    assert found.dtype == wanted.dtype and found.shape == wanted.shape
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-3)


def test_whole_numbers_come_back_by_channel():
    whole = np.arange(-6, 6, dtype=np.int8).reshape(1, 3, 2, 2)
    scales, zeros = np.float32([1, 0.5, 2]), np.int8([0, 1, -1])
    (found,) = evaluating.DequantizeLinear._run(None, whole, scales, zeros, axis=1)
    wanted = (whole - zeros[:, None, None]) * scales[:, None, None]
    assert np.array_equal(found, wanted) and found.dtype == np.float32


def test_uneven_padding_of_a_pooling_is_refused():
    with pytest.raises(
        ValueError, match=r"a pooling pads by .* take the model out of export\.int8"
    ):
        evaluating.run(one("MaxPool", kernel_shape=[3, 3], pads=[0, 0, 1, 1]), toys.images(1, 9))
