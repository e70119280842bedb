"""Exporting: the same bytes from anywhere, the same probabilities without torch, wrong files refused."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch

from cxr import artifacts, exporting, numerics, seeding
from cxr.backbones import surgery
from cxr.training import loop, models
from cxr.training.network import build, last_layer
from tests.architectures.cases import cells, stage
from tests.training.recipes import tiny

numerics.exact_torch()
SIZE_PX = 32
STAGES = [stage(width=8, depth=1), stage("residual", depth=1)]
SMALL = {"backbone": "searched", "backbone_options": cells(*STAGES, stem=8)}
INVERTED = stage("inverted", kernel=5)
ABOUT = {"fold": 0, "model": "toy"}


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = seeding.stream(1, "images")
    return rng.integers(0, 256, size=(5, SIZE_PX, SIZE_PX), dtype=np.uint8)


def save(
    folder: Path, *, kept: dict[str, list[int]] | None = None, temperature: float = 1.0, **changes
) -> Path:
    """Write a model of one fold, cut to the `kept` channels; BatchNorm and head do something."""
    recipe = tiny(**changes)
    network = build(recipe, labels=3, seed=1, fold=0).train()
    noise = seeding.torch_stream(2, "noise")
    for _ in range(3):
        network(torch.randn(4, 1, SIZE_PX, SIZE_PX, generator=noise))
    with torch.no_grad():
        last_layer(network).weight.mul_(100)
    if kept:
        surgery.keep(network, kept, size_px=SIZE_PX, ignored=[last_layer(network)])
    fitted = loop.Fitted(dict(network.state_dict()), best_epoch=0, history=[])
    member = models.Saved(fitted, recipe.backbone_options, kept or {}, temperature)
    models.save(folder, recipe, [member], labels=["a", "b", "c"], size_px=SIZE_PX)
    return folder


@pytest.fixture(scope="module")
def member(tmp_path_factory) -> models.Member:
    return models.load(save(tmp_path_factory.mktemp("models") / "toy", **SMALL), 0)


@pytest.fixture(scope="module")
def content(member) -> bytes:
    return exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT)


def test_it_takes_grey_images_and_gives_probabilities(content, member, images):
    model = onnx.load_from_string(content)
    (given,), (made,) = model.graph.input, model.graph.output
    assert shape(given) == ("images", onnx.TensorProto.FLOAT, ["batch", 1, 32, 32])
    assert shape(made) == ("probabilities", onnx.TensorProto.FLOAT, ["batch", 3])
    assert [(part.domain, part.version) for part in model.opset_import] == [("", 20)]
    assert [(x.key, x.value) for x in model.metadata_props] == [("cxr", '{"fold":0,"model":"toy"}')]
    found = exporting.probabilities(content, images)
    assert found.dtype == np.float32 and np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.01  # the images matter


def shape(value: onnx.ValueInfoProto) -> tuple[str, int, list[str | int]]:
    kind = value.type.tensor_type
    return value.name, kind.elem_type, [x.dim_param or x.dim_value for x in kind.shape.dim]


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_any_number_of_images_at_once(content, member, images, batch):
    many = np.resize(images, (batch, SIZE_PX, SIZE_PX))
    assert exporting.probabilities(content, many).shape == (batch, 3)
    assert exporting.compare(content, member, many) <= exporting.LARGEST_DIFFERENCE


def test_labels_that_combine_come_through_a_sigmoid(tmp_path, images):
    changes = {"loss": "bce", "mean": 0.3, "std": 0.5, "backbone": "searched"}
    inverted = cells(INVERTED, stem=8)
    member = models.load(save(tmp_path / "toy", backbone_options=inverted, **changes), 0)
    content = exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(content, member, images) <= exporting.LARGEST_DIFFERENCE
    assert not np.allclose(exporting.probabilities(content, images).sum(axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_a_temperature_is_one_more_step_of_the_graph_and_1_is_none(tmp_path, images, content, loss):
    found = {}
    for temperature in (1.0, 5.0):
        folder = save(tmp_path / str(temperature), temperature=temperature, loss=loss, **SMALL)
        member = models.load(folder, 0)
        model = exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
        assert exporting.compare(model, member, images) <= exporting.LARGEST_DIFFERENCE
        nodes = [node.op_type for node in onnx.load_from_string(model).graph.node]
        found[temperature] = (model, nodes, exporting.probabilities(model, images))
    assert sorted(found[5.0][1]) == sorted([*found[1.0][1], "Div"])
    assert np.abs(found[5.0][2] - found[1.0][2]).max() > 0.01
    if loss == "cross_entropy":
        assert found[1.0][0] == content


def test_a_model_of_several_views_is_compared_on_one(tmp_path, images, content):
    member = models.load(save(tmp_path / "toy", test_views=3, **SMALL), 0)
    assert exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT) == content
    assert exporting.compare(content, member, images) <= exporting.LARGEST_DIFFERENCE
    apart = np.abs(models.predict(member, images) - exporting.probabilities(content, images))
    assert apart.max() > 10 * exporting.LARGEST_DIFFERENCE


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone": "mobilenetv2_035"},
        {"backbone": "resnet10t", "head": {"kind": "mlp", "hidden": [8], "dropout": 0.5}},
    ],
)
def test_other_networks_agree(tmp_path, images, changes):
    member = models.load(save(tmp_path / "toy", **changes), 0)
    content = exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(content, member, images) <= exporting.LARGEST_DIFFERENCE


def test_a_pruned_network_is_exported_without_the_cut_channels(tmp_path, images, content):
    whole = models.load(save(tmp_path / "whole", **SMALL), 0).network
    group = surgery.groups(whole, size_px=SIZE_PX, ignored=[last_layer(whole)])[-1]
    kept = {group.name: list(range(0, group.channels, 2))}
    member = models.load(save(tmp_path / "pruned", kept=kept, **SMALL), 0)
    pruned = exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(pruned, member, images) <= exporting.LARGEST_DIFFERENCE
    assert len(pruned) < len(content)


def test_another_process_in_another_folder_with_the_code_elsewhere_gives_the_same_bytes(
    tmp_path, content, root
):
    """The exporter notes file names, line numbers and stack traces: none of them may be left."""
    elsewhere = tmp_path / "another place"
    for package in ("cxr", "stages"):
        shutil.copytree(root / package, elsewhere / package)
    folder = save(tmp_path / "toy", **SMALL)
    code = (
        "import stages, sys, pathlib; from cxr import exporting, numerics; numerics.exact_torch();"
        "from cxr.training import models; print(exporting.__file__);"
        "member = models.load(pathlib.Path(sys.argv[1]), 0); about = {'model': 'toy', 'fold': 0};"
        "content = exporting.to_onnx(member, size_px=32, about=about);"
        "pathlib.Path('there.onnx').write_bytes(content)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, folder], cwd=elsewhere,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(elsewhere)) and done.stderr == ""
    assert (elsewhere / "there.onnx").read_bytes() == content
    for word in (str(root), "site-packages", ".py", "torch"):
        assert word.encode() not in content


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
    assert np.abs(theirs - models.predict(member, images)).max() <= exporting.LARGEST_DIFFERENCE


@pytest.mark.parametrize("value", [1.01, np.nan])
def test_a_file_that_scores_otherwise_is_refused(content, member, images, value):
    model = onnx.load_from_string(content)
    tensor = max(model.graph.initializer, key=lambda x: len(x.raw_data))
    weights = onnx.numpy_helper.to_array(tensor) * np.float32(value)
    tensor.CopyFrom(onnx.numpy_helper.from_array(weights, tensor.name))
    with pytest.raises(ValueError, match=r"differ by up to .* expected at most 0\.0001.*opset 20"):
        exporting.compare(model.SerializeToString(), member, images)


def test_nothing_to_compare_on_is_refused(content, member, images):
    with pytest.raises(ValueError, match=r"no val image to compare on: see split\.fractions"):
        exporting.compare(content, member, images[:0])


@pytest.mark.parametrize(("val", "compared"), [(6, 6), (64, 64), (65, 33), (700, 64)])
def test_a_fold_is_compared_on_at_most_64_images_from_all_over_val(
    tmp_path, content, monkeypatch, val, compared
):
    model, shown = save(tmp_path / "toy", **SMALL), []
    monkeypatch.setattr(exporting, "to_onnx", lambda *_, **__: content)
    monkeypatch.setattr(exporting.prepared, "read", lambda _: pictures)
    monkeypatch.setattr(exporting, "compare", lambda *_: 0.0)
    pictures = SimpleNamespace(gather=shown.append)
    exporting.export_fold(exporting.Task(model, 0, tmp_path, np.arange(100, 100 + val)))
    (rows,) = shown
    assert len(rows) == compared and rows[0] == 100
    assert rows[-1] >= 100 + val - -(-val // 64)


def test_the_exporter_is_quiet_and_a_later_export_of_a_process_gives_the_same_bytes(
    content, member, capfd
):
    assert exporting.to_onnx(member, size_px=SIZE_PX, about=ABOUT) == content
    assert capfd.readouterr() == ("", "")
