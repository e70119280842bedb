"""Int8: a quarter of the size, the same scores nearly, biases put right, weights of 7 bits."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from cxr import numerics
from cxr.exporting import evaluating, graph, quantizing, running
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from cxr.pruning import cutting
from cxr.training import models
from cxr.training.network import last_layer
from tests.architectures.cases import KINDS
from tests.exporting import toys

numerics.exact_torch()
SIZE_PX = 32


@pytest.fixture(scope="module")
def member() -> models.Member:
    return toys.member(backbone="mobilenetv2_035")


@pytest.fixture(scope="module")
def content(member) -> bytes:
    return graph.to_onnx(member, size_px=SIZE_PX, about=toys.ABOUT)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return toys.images(16)


@pytest.fixture(scope="module")
def whole(content, images) -> bytes:
    return graph.finished(quantizing.quantize(content, images), {"fold": 0})


def test_it_is_smaller_and_says_nearly_the_same(content, whole, member, images):
    assert len(whole) < 0.5 * len(content)
    apart = np.abs(evaluating.probabilities(whole, images) - models.predict_once(member, images))
    assert apart.mean() < 0.1
    assert quantizing.compare(whole, images) <= quantizing.LARGEST_MEAN_DIFFERENCE


def test_weights_have_seven_bits_and_a_scale_per_filter(whole):
    model = onnx.load_from_string(whole)
    tensors = {x.name: numpy_helper.to_array(x) for x in model.graph.initializer}
    convs = [name for name, x in tensors.items() if x.ndim == 4 and x.dtype == np.int8]
    assert len(convs) == 52  # all that mobilenetv2_035 has
    for name in convs:
        assert np.abs(tensors[name].astype(int)).max() <= 64
        assert len(tensors[name.replace("_quantized", "_scale")]) == len(tensors[name])


def test_a_maps_mean_is_still_its_score(whole, member, images):
    found = running.outputs(whole, images)
    assert np.abs(running.of_maps(found["maps"], member) - found["probabilities"]).max() < 1e-4


def test_what_rounding_moved_the_means_by_is_put_right():
    """The means are the float network's again, as they are not without corrections.

    On maps of several places: where the mean is one of 16 numbers, a single one that lies halfway
    between two whole ones moves it by more than what is to be put right.
    """
    member, images = toys.member(backbone="mobilenetv2_035", size_px=96), toys.images(16, 96)
    content = graph.to_onnx(member, size_px=96, about={})
    model = onnx.load_from_string(content)
    extremes, means = quantizing._measured(model, images)
    left = []
    for rounded in (quantizing._with_steps(model, extremes), quantizing.quantize(content, images)):
        shifts = quantizing._shifts(rounded, means, images)
        assert len(shifts) == 52
        left.append(np.array([np.abs(shift_C).mean() for shift_C in shifts.values()]))
    plain, right = left
    assert (right < 0.2 * plain).all() and right.mean() < 0.05 * plain.mean()


def test_extremes_are_those_of_the_calibration_images(content, images):
    """All but the last bits, which the size of a batch decides."""
    model = onnx.load_from_string(content)
    few, _ = quantizing._measured(model, images[:4])
    many, means = quantizing._measured(model, images)
    assert list(few) == list(many) and len(means) == 53  # with that of the maps
    for name, (low, high) in few.items():
        assert many[name][0] <= low + 1e-4 and high - 1e-4 <= many[name][1]
    assert sum(many[name][1] > high + 1e-3 for name, (_, high) in few.items()) > 10


@pytest.mark.parametrize("name", ["dense, pooled", "everything"])
def test_other_networks_too(name, images):
    """Concatenations without biases of their own; group norms, squeeze-excitation, hidden layers."""
    member = toys.member(backbone="searched", backbone_options=KINDS[name])
    content = graph.to_onnx(member, size_px=SIZE_PX, about={})
    whole = graph.finished(quantizing.quantize(content, images), {})
    apart = np.abs(evaluating.probabilities(whole, images) - models.predict_once(member, images))
    assert apart.mean() < 0.1
    assert quantizing.compare(whole, images) <= quantizing.LARGEST_MEAN_DIFFERENCE
    assert_they_part_at_a_half(whole, images)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["EfficientNet-B0", "DenseNet-121"])
def test_deep_families_too(name):
    """On phantoms, by whose statistics BatchNorm goes as a trained network's does by its images'.

    The head is as small as it is drawn: random weights make much of a step, and it would too. The other
    way to round halves moves the probabilities by no more than rounding itself does.
    """
    people = [patient(1, number, task="multiclass") for number in range(8)]
    images = np.stack([radiographs(1, who, image_px=64)[0].pixels_HW for who in people])
    member = toys.member(backbone=name, size_px=64)
    cutting.recalibrate(member.network, member.recipe, images)
    with torch.no_grad():
        last_layer(member.network).weight.div_(100)
    content = graph.to_onnx(member, size_px=64, about={})
    whole = graph.finished(quantizing.quantize(content, images), {})
    exact_NL, float_NL = (evaluating.probabilities(x, images) for x in (whole, content))
    assert quantizing.compare(whole, images) < 2 * np.abs(exact_NL - float_NL).mean()
    assert_they_part_at_a_half(whole, images)


def assert_they_part_at_a_half(whole: bytes, images: np.ndarray) -> None:
    """Compare onnxruntime with the exact evaluation, value by value up to the first that differs.

    What differs in it lies in the middle between two whole numbers, and goes to one of them each time.
    """
    model, exact = onnx.load_from_string(whole), {}
    evaluating.run(model, images, watch=lambda _, name, value: exact.setdefault(name, value))
    nodes = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    for node in nodes:
        value = helper.make_tensor_value_info(node.output[0], TensorProto.UINT8, None)
        model.graph.output.append(value)
    found = running.outputs(model.SerializeToString(), images)
    scales = {x.name: numpy_helper.to_array(x) for x in model.graph.initializer}
    assert len(nodes) > 10
    for value, scale, rounded in ((*node.input[:2], node.output[0]) for node in nodes):
        apart = found[rounded].astype(int) - exact[rounded]
        if apart.any():
            steps = (exact[value] / scales[scale])[apart != 0]
            assert np.abs(steps % 1 - 0.5).max() < 1e-4 and np.abs(apart).max() == 1
            break


def test_another_graph_in_onnxruntime_is_refused(whole, images, monkeypatch):
    monkeypatch.setattr(running, "probabilities", lambda *_: np.zeros((len(images), 3), np.float32))
    with pytest.raises(ValueError, match=r"than the int8 file means: .* out of export\.int8"):
        quantizing.compare(whole, images)
