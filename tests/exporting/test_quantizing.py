"""Int8: a quarter of the size, the same scores nearly, biases put right, weights of 7 bits."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from cxr import numerics
from cxr.exporting import evaluating, graph, quantizing, running
from cxr.training import models
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


def test_another_graph_in_onnxruntime_is_refused(whole, images, monkeypatch):
    monkeypatch.setattr(running, "probabilities", lambda *_: np.zeros((len(images), 3), np.float32))
    with pytest.raises(ValueError, match=r"than the int8 file means: .* out of export\.int8"):
        quantizing.compare(whole, images)
