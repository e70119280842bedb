"""Running: a file needs nothing of ours, and one that says otherwise than PyTorch is refused."""

import subprocess
import sys

import numpy as np
import onnx
import pytest

from cxr import artifacts, numerics
from cxr.exporting import graph, running
from cxr.training import models
from tests.exporting import toys

numerics.exact_torch()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return toys.images()


@pytest.fixture(scope="module")
def member() -> models.Member:
    return toys.member(**toys.SMALL)


@pytest.fixture(scope="module")
def content(member) -> bytes:
    return graph.to_onnx(member, size_px=toys.SIZE_PX, about=toys.ABOUT)


def test_it_runs_without_torch_and_without_this_code(tmp_path, content, member, images):
    (tmp_path / "model.onnx").write_bytes(content)
    artifacts.write_array(tmp_path / "images.npy", images[:, None].astype(np.float32))
    code = (
        "import sys, numpy as np, onnxruntime;"
        "session = onnxruntime.InferenceSession('model.onnx', providers=['CPUExecutionProvider']);"
        "np.save('scores.npy', session.run(None, {'images': np.load('images.npy')})[0]);"
        "assert not {'torch', 'cxr'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)
    theirs = np.load(tmp_path / "scores.npy")
    assert np.abs(theirs - models.predict(member, images)).max() <= running.LARGEST_DIFFERENCE


@pytest.mark.parametrize("value", [1.01, np.nan])
def test_a_file_that_scores_otherwise_is_refused(content, member, images, value):
    model = changed(content, "network.head.1.weight", value)
    words = r"other probabilities than PyTorch: they differ by up to .* at most 0\.0001.*opset 20"
    with pytest.raises(ValueError, match=words):
        running.compare(model, member, images)


def test_a_file_whose_maps_say_otherwise_is_refused(content, member, images):
    (node,) = (x for x in onnx.load_from_string(content).graph.node if "maps" in x.output)
    with pytest.raises(ValueError, match=r"other probabilities by its maps than PyTorch"):
        running.compare(changed(content, node.input[1], 1.01), member, images)


def changed(content: bytes, name: str, factor: float) -> bytes:
    """Return a file with one tensor multiplied."""
    model = onnx.load_from_string(content)
    (tensor,) = (x for x in model.graph.initializer if x.name == name)
    weights = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    return model.SerializeToString()


def test_nothing_to_compare_on_is_refused(content, member, images):
    with pytest.raises(ValueError, match=r"no val image to compare on: see split\.fractions"):
        running.compare(content, member, images[:0])
