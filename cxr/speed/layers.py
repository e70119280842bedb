"""How long one layer takes by itself in ONNX Runtime, without what surrounds it.

A session around a single convolution also spends time on being called and on bringing the image into
the blocked order that its kernels like, which in a whole network are paid once. So ONNX Runtime's own
profile is read: the time of the layer's node alone.
Sources: https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cxr import seeding
from cxr.onnx_runtime import onnxruntime
from cxr.pruning.latency import Shape

OPSET, IR_VERSION = 20, 10  # as old as the exported files'
_LAYERS = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul")
_LEAST = (1, 8, 16, 24, 32, 48, 64, 96, 128)
"""Numbers of channels that are measured, and from there on every doubling."""
_BUDGET_MACS = 200_000_000  # one point of the grid: some 10 ms
_RUNS = (8, 200)  # fewest and most
_WARM_UP = 3


def counts(widest: int, *, multiple: int = 1) -> tuple[int, ...]:
    """Return the numbers of channels to measure up to `widest`; all, but 1, are multiples of `multiple`."""
    steps = list(_LEAST)
    while steps[-1] < widest:
        steps.append(2 * steps[-1])
    fitting = {max(step // multiple, 1) * multiple for step in steps if step < widest}
    return tuple(sorted(fitting | {widest}))


def model(shape: Shape, inputs: int, outputs: int) -> bytes:
    """Return an ONNX file of one such layer; its weights are drawn, as times don't depend on them."""
    rng = seeding.stream(1, "speed", str(shape), inputs, outputs)
    read = inputs  # channels that come in
    if shape.kind in ("depthwise", "grouped"):
        read = inputs * (outputs // shape.filters)
    down, across = shape.side_px
    size: tuple[int, ...] = (outputs, inputs)
    given: list[int | None] = [across, inputs]
    made: list[int | None] = [across, outputs]
    node = helper.make_node("Gemm", ["x", "weight", "bias"], ["y"], transB=1)
    if shape.kind != "linear":
        size, given = (outputs, inputs, *shape.kernel), [1, read, down, across]
        made = [1, outputs, None, None]
        pads = [
            step * (kernel - 1) // 2
            for step, kernel in zip(shape.dilation, shape.kernel, strict=True)
        ]
        node = helper.make_node(
            "Conv", ["x", "weight", "bias"], ["y"], kernel_shape=shape.kernel,
            strides=shape.stride, dilations=shape.dilation, group=read // inputs, pads=[*pads, *pads],
        )  # fmt: skip
    weight = (0.1 * rng.standard_normal(size)).astype(np.float32)
    graph = helper.make_graph(
        [node], "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, made)],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(np.zeros(outputs, np.float32), "bias"),
        ],
    )  # fmt: skip
    opset = [helper.make_opsetid("", OPSET)]
    whole = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(whole)
    return whole.SerializeToString(deterministic=True)


def microseconds(content: bytes, *, runs: int, threads: int) -> float:
    """Return how long the layer of an ONNX file takes: the mean of the middle half of its runs."""
    with tempfile.TemporaryDirectory(prefix="cxrepro-speed-") as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors alone
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (given,) = session.get_inputs()
        rng = seeding.stream(1, "speed", "input of a layer")
        feed = {given.name: rng.standard_normal(given.shape, dtype=np.float32)}
        for _ in range(_WARM_UP + runs):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    times_us = [event["dur"] for event in events if event.get("args", {}).get("op_name") in _LAYERS]
    assert len(times_us) == _WARM_UP + runs, "ONNX Runtime has split the layer, or names it anew"
    return _middle(times_us[_WARM_UP:])


def runs(shape: Shape, inputs: int, outputs: int) -> int:
    """Return how often to run a layer: a cheap one more often, as it is soon done."""
    places = np.prod(
        [-(-side // step) for side, step in zip(shape.side_px, shape.stride, strict=True)]
    )
    macs = int(places * np.prod(shape.kernel) * inputs * outputs)
    return int(np.clip(_BUDGET_MACS // max(macs, 1), *_RUNS))


def _middle(times_us: Sequence[float]) -> float:
    """Return the mean of the middle half: finer than a median where times are whole numbers."""
    ordered = np.sort(np.asarray(times_us, dtype=np.float64))
    quarter = len(ordered) // 4
    # the profile cuts fractions of a microsecond off: half of one, on average
    return float(ordered[quarter : len(ordered) - quarter].mean()) + 0.5
