"""The graph: grey images in, probabilities out, one key of metadata, the same bytes from anywhere."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest

from cxr import exporting, numerics
from cxr.backbones import surgery
from cxr.exporting import graph
from cxr.training import models
from cxr.training.network import last_layer
from tests.architectures.cases import cells, stage
from tests.exporting import toys
from tests.exporting.toys import ABOUT, SIZE_PX, SMALL, save

numerics.exact_torch()


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return toys.images()


@pytest.fixture(scope="module")
def member(tmp_path_factory) -> models.Member:
    return models.load(save(tmp_path_factory.mktemp("models") / "toy", **SMALL), 0)


@pytest.fixture(scope="module")
def content(member) -> bytes:
    return graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT)


def test_it_takes_grey_images_and_gives_probabilities_and_maps(content, images):
    model = onnx.load_from_string(content)
    (given,), (made, maps) = model.graph.input, model.graph.output
    assert shape(given) == ("images", onnx.TensorProto.FLOAT, ["batch", 1, 32, 32])
    assert shape(made) == ("probabilities", onnx.TensorProto.FLOAT, ["batch", 3])
    assert shape(maps) == ("maps", onnx.TensorProto.FLOAT, ["batch", 3, 4, 4])
    assert [(part.domain, part.version) for part in model.opset_import] == [("", 20)]
    found = exporting.probabilities(content, images)
    assert found.dtype == np.float32 and np.allclose(found.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.01  # the images matter


def shape(value: onnx.ValueInfoProto) -> tuple[str, int, list[str | int]]:
    kind = value.type.tensor_type
    return value.name, kind.elem_type, [x.dim_param or x.dim_value for x in kind.shape.dim]


def test_one_key_of_metadata_holds_canonical_json(content):
    (said,) = onnx.load_from_string(content).metadata_props
    assert said.key == "cxr"
    told = json.loads(said.value)
    assert told == graph.about(content)
    assert {key: told[key] for key in ABOUT} == ABOUT and set(told) == {*ABOUT, "maps", "seal"}
    assert said.value == json.dumps(told, sort_keys=True, separators=(",", ":"))


def test_the_seal_is_the_files_hash_with_zeros_in_its_place(content):
    seal = graph.about(content)["seal"].encode()
    assert content.count(seal) == 1 and seal != b"0" * 64
    assert hashlib.sha256(content.replace(seal, b"0" * 64)).hexdigest().encode() == seal


@pytest.mark.parametrize("batch", [1, 2, 7, 64])
def test_any_number_of_images_at_once(content, member, images, batch):
    many = np.resize(images, (batch, SIZE_PX, SIZE_PX))
    assert {key: len(value) for key, value in exporting.outputs(content, many).items()} == {
        "probabilities": batch, "maps": batch,
    }  # fmt: skip
    assert exporting.compare(content, member, many) <= exporting.LARGEST_DIFFERENCE


def test_labels_that_combine_come_through_a_sigmoid(images):
    changes = {"loss": "bce", "mean": 0.3, "std": 0.5, "backbone": "searched"}
    inverted = cells(stage("inverted", kernel=5), stem=8)
    member = toys.member(backbone_options=inverted, **changes)
    content = graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(content, member, images) <= exporting.LARGEST_DIFFERENCE
    assert not np.allclose(exporting.probabilities(content, images).sum(axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_a_temperature_is_one_more_step_of_the_graph_and_1_is_none(images, content, loss):
    found = {}
    for temperature in (1.0, 5.0):
        member = toys.member(temperature=temperature, loss=loss, **SMALL)
        model = graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
        assert exporting.compare(model, member, images) <= exporting.LARGEST_DIFFERENCE
        nodes = [node.op_type for node in onnx.load_from_string(model).graph.node]
        found[temperature] = (model, nodes, exporting.probabilities(model, images))
    assert sorted(found[5.0][1]) == sorted([*found[1.0][1], "Div"])
    assert np.abs(found[5.0][2] - found[1.0][2]).max() > 0.01
    if loss == "cross_entropy":
        assert found[1.0][0] == content


def test_a_model_of_several_views_is_compared_on_one(images, content):
    member = toys.member(test_views=3, **SMALL)
    assert graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT) == content
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
def test_other_networks_agree(images, changes):
    member = toys.member(**changes)
    content = graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(content, member, images) <= exporting.LARGEST_DIFFERENCE


def test_a_pruned_network_is_exported_without_the_cut_channels(tmp_path, images, content, member):
    last = last_layer(member.network)
    group = surgery.groups(member.network, size_px=SIZE_PX, ignored=[last])[-1]
    kept = {group.name: list(range(0, group.channels, 2))}
    cut = models.load(save(tmp_path / "pruned", kept=kept, **SMALL), 0)
    pruned = graph.to_onnx(cut, size_px=SIZE_PX, about=ABOUT)
    assert exporting.compare(pruned, cut, images) <= exporting.LARGEST_DIFFERENCE
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


def test_the_exporter_is_quiet_and_a_later_export_of_a_process_gives_the_same_bytes(
    content, member, capfd
):
    assert graph.to_onnx(member, size_px=SIZE_PX, about=ABOUT) == content
    assert capfd.readouterr() == ("", "")
