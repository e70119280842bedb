"""An ONNX graph worked out node by node under the exact profile, so that what is found in it repeats.

onnxruntime picks its kernels by the processor's instructions, and an int8 graph's answers change with
them. Here onnx's own evaluator says what the graph means (https://onnx.ai/onnx/api/reference.html),
and torch, bound by `numerics.exact_torch`, works the operators that are slow in numpy. A value is
forgotten after its last use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from torch.nn import functional

from cxr.exporting import graph

AT_ONCE = 64
"""Images that are scored at a time."""
Watch = Callable[[onnx.NodeProto, str, np.ndarray], np.ndarray]
"""Is told each value that a node makes, (node, its name, value), and returns what goes on."""


def probabilities(content: bytes, images_NHW: np.ndarray) -> np.ndarray:
    """Return probabilities float32 (N, L) of uint8 images."""
    model = onnx.load_from_string(content)
    parts = [images_NHW[first : first + AT_ONCE] for first in range(0, len(images_NHW), AT_ONCE)]
    return np.concatenate([run(model, part)[graph.OUTPUT] for part in parts])


def run(
    model: onnx.ModelProto, images_NHW: np.ndarray, *, watch: Watch | None = None
) -> dict[str, np.ndarray]:
    """Return the outputs of a graph for uint8 images, by name."""
    evaluator = ReferenceEvaluator(model, new_ops=[*_OPERATORS])
    kept = [*evaluator.output_names, *evaluator.rt_inits_, ""]
    last_use = {name: i for i, node in enumerate(evaluator.rt_nodes_) for name in node.input}
    values: dict[str, Any] = {"": None, **evaluator.rt_inits_}  # "" stands for an input left out
    values[graph.INPUT] = images_NHW[:, None].astype(np.float32)
    for place, node in enumerate(evaluator.rt_nodes_):
        made = node.run(*[values[name] for name in node.input])
        for name, value in zip(node.output, made, strict=True):
            values[name] = watch(node.onnx_node, name, value) if watch else value
        for name in node.input:
            if last_use[name] == place and name not in kept:
                values.pop(name, None)
    return {name: values[name] for name in evaluator.output_names}


def _tensor(array: np.ndarray) -> torch.Tensor:
    """Return the array's numbers; torch wants memory that may be written to."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _padding(auto_pad: str | None, pads: Sequence[int] | None) -> tuple[int, int]:
    """Return what an operator pads above and left of maps, which torch pads below and right too."""
    top, left, bottom, right = pads or (0, 0, 0, 0)
    if auto_pad not in (None, "NOTSET") or (top, left) != (bottom, right):
        raise ValueError(
            f"a pooling pads by {auto_pad} {pads}, more on one side than on the other: take the model "
            "out of export.int8"
        )
    return top, left


class Conv(OpRun):
    """A convolution of maps."""

    def _run(self, x, w, b=None, auto_pad=None, dilations=None, group=None, kernel_shape=None,
             pads=None, strides=None):  # fmt: skip
        top, left, bottom, right = pads or (0, 0, 0, 0)
        padded = functional.pad(_tensor(x), (left, right, top, bottom))
        bias = None if b is None else _tensor(b)
        y = functional.conv2d(padded, _tensor(w), bias, strides or 1, 0, dilations or 1, group or 1)
        return (y.numpy(),)


class MaxPool(OpRun):
    """The largest of each window."""

    def _run(self, x, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None,
             storage_order=None, strides=None):  # fmt: skip
        padding = _padding(auto_pad, pads)
        y = functional.max_pool2d(
            _tensor(x).to(torch.float32),  # exact: whole numbers below 256
            kernel_shape, strides or 1, padding, dilations or 1, bool(ceil_mode),
        )  # fmt: skip
        return (y.numpy().astype(x.dtype),)


class AveragePool(OpRun):
    """The mean of each window."""

    def _run(self, x, auto_pad=None, ceil_mode=None, count_include_pad=None, dilations=None,
             kernel_shape=None, pads=None, strides=None):  # fmt: skip
        padding = _padding(auto_pad, pads)
        y = functional.avg_pool2d(
            _tensor(x),
            kernel_shape,
            strides or 1,
            padding,
            bool(ceil_mode),
            bool(count_include_pad),
        )
        return (y.numpy(),)


class QuantizeLinear(OpRun):
    """Numbers to whole ones: x / scale, rounded half to even, plus zero, bound by the type."""

    def _run(self, x, y_scale, zero_point=None, axis=1, **_):
        limits = np.iinfo(zero_point.dtype)
        steps = torch.div(_tensor(x), _beside(y_scale, x.ndim, axis)).round_()
        whole = steps.add_(_beside(zero_point, x.ndim, axis)).clamp_(limits.min, limits.max)
        return (whole.numpy().astype(zero_point.dtype),)


class DequantizeLinear(OpRun):
    """Whole numbers back: (x - zero) x scale."""

    def _run(self, x, x_scale, x_zero_point=None, axis=1, **_):
        steps = _tensor(x).to(torch.float32).sub_(_beside(x_zero_point, x.ndim, axis))
        return (steps.mul_(_beside(x_scale, x.ndim, axis)).numpy(),)


def _beside(numbers: np.ndarray, dimensions: int, axis: int) -> torch.Tensor:
    """Return one number, or one for each place along `axis`, in the shape to meet so many dimensions."""
    shape = [1] * dimensions
    if np.size(numbers) > 1:
        shape[axis] = -1
    return _tensor(np.array(numbers)).to(torch.float32).reshape(shape)


_OPERATORS = (Conv, MaxPool, AveragePool, QuantizeLinear, DequantizeLinear)
