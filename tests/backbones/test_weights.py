"""Weight files of every family: taken whole, the grey stem included, or refused by what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from cxr import artifacts, backbones, numerics
from cxr.backbones.names import PAPERS, timm_name
from cxr.backbones.weights import file_sha256
from tests.backbones import colour

numerics.exact_torch()
SIZE_PX = 96
KERAS = {"pad_type": "same", "bn_eps": 1e-3}


@dataclass
class Family:
    """A network in colour, its weight file, and how its grey one is made."""

    source: nn.Module
    path: Path
    sha256: str
    name: str
    options: dict[str, float]

    def create(self) -> nn.Module:
        return backbones.create(self.name, options=self.options, seed=2, stream=("test",)).eval()


@pytest.fixture(scope="module", params=[*PAPERS, "mobilenetv2_035"])
def family(request, tmp_path_factory) -> Iterator[Family]:
    name = request.param
    slim = colour.SLIM if name.startswith("VGG") else {}
    options = KERAS if name == "mobilenetv2_035" else slim
    source = colour.network(timm_name(name), **options)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    yield Family(source, path, colour.write(path, source.state_dict()), name, options)
    path.unlink()


def test_a_grey_image_is_answered_as_it_is_in_three_channels(family):
    network = family.create()
    taken, everything = backbones.load_weights(network, family.path, sha256=family.sha256)
    assert taken == everything
    grey = (colour.images(SIZE_PX) - 0.5) / 0.25
    expected = colour.answers(family.source, grey.repeat(1, 3, 1, 1))
    with torch.no_grad():
        found = network(grey)
    assert found.shape == expected.shape == (2, backbones.features(network))
    colour.assert_equal(found, expected)


def test_a_missing_tensor_and_a_strange_one_are_refused_by_name(family):
    network, other = family.create(), family.path.with_name("other.safetensors")
    tensors = family.source.state_dict()
    last = [name for name, _ in network.named_parameters()][-1]
    faults = {
        rf"1 tensors missing \['{last}'\], 0 unexpected": {
            name: tensor for name, tensor in tensors.items() if name != last
        },
        r"0 tensors missing \[\], 1 unexpected \['surprise.weight'\]": {
            **tensors, "surprise.weight": torch.zeros(1),
        },
    }  # fmt: skip
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for message, faulty in faults.items():
        sha256 = colour.write(other, faulty)
        with pytest.raises(ValueError, match=message):
            backbones.load_weights(network, other, sha256=sha256)
    other.unlink()
    assert all(torch.equal(x, before[name]) for name, x in network.state_dict().items())


def small() -> nn.Module:
    return backbones.create("mobilenetv2_035", options={}, seed=1, stream=("test",))


def test_the_auxiliary_classifier_of_inception_is_its_classifiers_and_of_no_other(tmp_path):
    """torchvision's own file holds it, timm's doesn't; no backbone of ours has it."""
    source = colour.network("inception_v3", aux_logits=True)
    path = tmp_path / "w.safetensors"
    tensors = source.state_dict()
    assert any(name.startswith("AuxLogits.conv0") for name in tensors)
    network = backbones.create("Inception-v3", options={}, seed=1, stream=("test",))
    backbones.load_weights(network, path, sha256=colour.write(path, tensors))
    assert torch.equal(network.Mixed_7c.branch_pool.conv.weight, tensors["Mixed_7c.branch_pool.conv.weight"])  # fmt: skip
    other = small()
    stranger = {**other.state_dict(), "AuxLogits.fc.bias": torch.zeros(1)}
    with pytest.raises(ValueError, match=r"1 unexpected \['AuxLogits.fc.bias'\]"):
        backbones.load_weights(other, path, sha256=colour.write(path, stranger))


def test_a_vgg_of_convolutions_alone_takes_the_weights_of_the_whole(tmp_path):
    source = colour.network("vgg11", **colour.SLIM)
    path, options = tmp_path / "w.safetensors", {"pre_logits": False}
    sha256 = colour.write(path, source.state_dict())
    network = backbones.create("vgg11", options=options, seed=1, stream=("test",)).eval()
    backbones.load_weights(network, path, sha256=sha256)
    grey = colour.images(64) - 0.5
    with torch.no_grad():
        expected = source.features(grey.repeat(1, 3, 1, 1)).mean(dim=(2, 3))
        colour.assert_equal(network(grey), expected)
    whole = backbones.create("vgg11", options=colour.SLIM, seed=1, stream=("test",))
    sha256 = colour.write(path, network.state_dict())
    with pytest.raises(ValueError, match=r"4 tensors missing \['pre_logits\.fc1\.weight'"):
        backbones.load_weights(whole, path, sha256=sha256)


def test_other_content_another_kind_a_missing_file_and_damage_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match=r"missing: run `make data DATASET=weights"):
        backbones.load_weights(small(), path, sha256="0" * 64)
    sha256 = colour.write(path, small().state_dict())
    for wrong, said in (("0" * 64, "0000"), ("", "none")):
        with pytest.raises(ValueError, match=rf"has sha256 {sha256}, the recipe asks for {said}"):
            backbones.load_weights(small(), path, sha256=wrong)
    pickle = path.rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is no \.safetensors file"):
        backbones.load_weights(small(), pickle, sha256=sha256)
    path.write_bytes(pickle.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"w\.safetensors is damaged"):
        backbones.load_weights(small(), path, sha256=file_sha256(path))


def test_a_file_that_is_grey_already_is_taken_as_it_is(tmp_path):
    source, network = small(), small()
    tensors = {name: tensor + 1 for name, tensor in source.state_dict().items()}
    path = tmp_path / "w.safetensors"
    backbones.load_weights(network, path, sha256=colour.write(path, tensors))
    assert all(torch.equal(x, tensors[name]) for name, x in network.state_dict().items())
    assert artifacts.read_tensors(path)["conv_stem.weight"].shape[1] == 1
