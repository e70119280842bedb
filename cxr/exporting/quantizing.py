"""An exported network with whole numbers of 8 bits: a quarter of the size, and what it costs is measured.

Static quantisation as Jacob et al. 2018 describe it (https://arxiv.org/abs/1712.05877), written by
onnxruntime's quantizer (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html):
a scale per channel for weights, one per tensor for what they make, from the extremes it took on
calibration images. Normalisation, head and maps stay float, so a map's mean is still its score.

Weights take 7 of their 8 bits: without VNNI, as in old processors, x86 adds two products of 8 bits in
16, which then can't overflow, and the same file scores alike on all of them. What rounding the weights
moves a convolution's mean by is put right in its bias, convolution by convolution, each on what the
rounded ones before it make (bias correction: Nagel et al. 2019, https://arxiv.org/abs/1906.04721,
section 4.2, empirical); without it mobilenetv2_035 on X-rays lost .03 of AUROC, with it nothing that
112 images could show.

No number comes from onnxruntime, whose kernels vary with the processor: extremes, means and scores are
those of `cxr.exporting.evaluating`, so that the file's bytes and its figures are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from cxr.exporting import evaluating, graph, running

IMAGES = 64
"""For calibration, of train."""
WEIGHT_BITS, VALUE_BITS = 7, 8
LARGEST_MEAN_DIFFERENCE = 0.02
"""Between the probabilities of onnxruntime and of the exact evaluation, as a mean over images and labels.
Both round to the same whole numbers, save some of a million that lie within a float32's last bits of a
half: there onnxruntime's integer kernels may go the other way
(https://github.com/microsoft/onnxruntime/issues/32132), and later layers pass that on. Trained networks
hardly do: mobilenetv2_035 was .004 apart at most, DenseNet-121 .002 and EfficientNet-B0 .0003, where
rounding as such had moved the probabilities by .006 and .02. Where two ways to round halves are further
apart, what the file scores is chance, and the figures of one evaluation don't hold for the other; or
onnxruntime works another graph. Random weights pass it on the more, the deeper they are (gradients of
networks with BatchNorm grow so before any training: Yang et al. 2019,
https://arxiv.org/abs/1902.08129): up to .06 in an EfficientNet-B0 that nobody had trained."""
_OPERATORS = ["Add", "AveragePool", "Clip", "Concat", "Conv", "MaxPool", "Relu"]
Extremes = dict[str, tuple[float, float]]


def quantize(content: bytes, images_NHW: np.ndarray) -> onnx.ModelProto:
    """Return an exported network in whole numbers, calibrated on uint8 images."""
    model = onnx.load_from_string(content)
    biases = _biases(model)
    extremes, means = _measured(model, images_NHW)
    for name, shift_C in _shifts(_with_steps(model, extremes), means, images_NHW).items():
        bias = biases[name]
        right_C = (numpy_helper.to_array(bias) + shift_C).astype(np.float32)
        bias.CopyFrom(numpy_helper.from_array(right_C, bias.name))
    return _with_steps(model, extremes)


def _biases(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Return the bias of each convolution to quantise by the node's name; each has one afterwards."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    found = {}
    for node in nodes:
        if node.output[0] == graph.MAPS:
            continue
        if len(node.input) < 3:
            zeros_C = np.zeros(tensors[node.input[1]].dims[0], np.float32)
            bias = numpy_helper.from_array(zeros_C, f"{node.name}_bias")
            model.graph.initializer.append(bias)
            node.input.append(bias.name)
            tensors[bias.name] = model.graph.initializer[-1]
        found[node.name] = tensors[node.input[2]]
    own = {bias.name for bias in found.values()}
    assert "" not in found and len(own) == len(found) > 0, (
        "a bias per convolution, each with a name"
    )
    return found


def _measured(
    model: onnx.ModelProto, images_NHW: np.ndarray
) -> tuple[Extremes, dict[str, np.ndarray]]:
    """Return the extremes of every value, and each convolution's mean (C,) by the node's name."""
    extremes: Extremes = {graph.INPUT: (0.0, 255.0)}
    means = {}

    def watch(node: onnx.NodeProto, name: str, value: np.ndarray) -> np.ndarray:
        if value.dtype == np.float32 and value.size:
            extremes[name] = (float(value.min()), float(value.max()))
        if node.op_type == "Conv":
            means[node.name] = _mean(value)
        return value

    evaluating.run(model, images_NHW, watch=watch)
    return extremes, means


def _mean(value_NChw: np.ndarray) -> np.ndarray:
    return value_NChw.mean(axis=(0, 2, 3), dtype=np.float64)


def _shifts(
    rounded: onnx.ModelProto, means: Mapping[str, np.ndarray], images_NHW: np.ndarray
) -> dict[str, np.ndarray]:
    """Return by how much each rounded convolution's mean (C,) lies below the true one.

    Each is put right before the next is looked at.
    """
    shifts: dict[str, np.ndarray] = {}

    def watch(node: onnx.NodeProto, name: str, value: np.ndarray) -> np.ndarray:
        if node.op_type != "Conv" or name == graph.MAPS:
            return value
        shifts[node.name] = means[node.name] - _mean(value)
        return value + shifts[node.name].astype(np.float32)[:, None, None]

    evaluating.run(rounded, images_NHW, watch=watch)
    return shifts


def _with_steps(model: onnx.ModelProto, extremes: Extremes) -> onnx.ModelProto:
    """Return a graph that rounds weights and values to whole numbers and back."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    limits = {name: tuple(map(np.float32, pair)) for name, pair in extremes.items()}
    quantizer = QDQQuantizer(
        copy,
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, limits),
        nodes_to_quantize=[],  # all but:
        nodes_to_exclude=_floats(copy),
        op_types_to_quantize=_OPERATORS,
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    done: onnx.ModelProto = quantizer.model.model
    done.graph.ClearField("value_info")  # of values that are gone, too
    return done


def _floats(model: onnx.ModelProto) -> list[str]:
    """Return the nodes that stay float: maps, strangeness, and sums with a constant, which are parts of norms."""
    constants = {tensor.name for tensor in model.graph.initializer}
    scored = _behind(model, graph.OUTPUT)
    return [
        node.name
        for node in model.graph.node
        if node.name not in scored
        or (node.op_type == "Add" and any(name in constants for name in node.input))
    ]


def _behind(model: onnx.ModelProto, output: str) -> set[str]:
    """Return the names of the nodes that an output is made of."""
    wanted, found = {output}, set()
    for node in reversed(model.graph.node):  # in the order of their work, so makers come later here
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.add(node.name)
    return found


def compare(content: bytes, images_NHW: np.ndarray) -> float:
    """Return the mean difference of probabilities between onnxruntime and the exact evaluation.

    Raises ValueError if it is not at most LARGEST_MEAN_DIFFERENCE.
    """
    exact_NL = evaluating.probabilities(content, images_NHW)
    difference = float(np.abs(running.probabilities(content, images_NHW) - exact_NL).mean())
    if not difference <= LARGEST_MEAN_DIFFERENCE:
        raise ValueError(
            f"onnxruntime gives other probabilities than the int8 file means: they differ by "
            f"{difference:.2g} in the mean of {len(images_NHW)} images, expected at most "
            f"{LARGEST_MEAN_DIFFERENCE:g}: take the model out of export.int8"
        )
    return difference


def about(images: int) -> dict[str, Any]:
    """Return what a file in whole numbers says of how it was made, on so many images."""
    return {
        "weight_bits": WEIGHT_BITS,
        "value_bits": VALUE_BITS,
        "calibration_images": images,
        "float": "normalisation, head, maps and strangeness, and all but convolutions, their sums and poolings",
    }
