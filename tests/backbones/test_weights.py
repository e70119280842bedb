"""Weight files of every family: taken whole, the grey stem included, or refused by what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cxr import artifacts, backbones, numerics, seeding
from cxr.backbones import weights
from cxr.backbones.names import PAPERS, timm_name
from cxr.backbones.weights import file_sha256
from cxr.training import loop, models
from cxr.training.network import build
from cxr.training.recipe import Recipe
from tests.architectures.cases import cells, mobile, stage
from tests.backbones import colour
from tests.training.recipes import tiny

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


OURS: dict[str, dict[str, Any]] = {
    "timm": {"backbone": "mobilenetv2_035"},
    "searched": {"backbone": "searched", "backbone_options": cells(stage(width=8), stage("dense"))},
    "searched, mobile": {"backbone": "searched", "backbone_options": mobile()},
    "timm, slim": {"backbone": "resnet10t", "backbone_options": {"channels": [8, 16, 24, 32]}},
}
HEADS = {"kind": "mlp", "hidden": [8], "dropout": 0.0}


def kept(folder: Path, recipe: Recipe) -> Path:
    """Train a network for two labels by a step and save it as a study does; return its weight file."""
    network = build(recipe, labels=2, seed=1, fold=0)
    images = seeding.stream(1, "toy").integers(0, 256, size=(8, 32, 32), dtype=np.uint8)
    part = loop.Part(images, np.eye(2, dtype=np.float32)[np.arange(8) % 2])
    fitted = loop.fit(network, recipe, train=part, val=part, seed=1, stream=("test",), steps=1)
    saved = models.Saved(fitted, recipe.backbone_options, {}, 1.0)
    models.save(folder, recipe, [saved], labels=["a", "b"], size_px=32)
    return folder / "fold-0.safetensors"


@pytest.mark.parametrize("name", OURS)
def test_a_network_of_ours_starts_another_bit_for_bit_under_a_head_of_its_own(tmp_path, name):
    path = kept(tmp_path / "model", tiny(**OURS[name]))
    weights = {"file": str(path), "sha256": file_sha256(path)}
    other = {**OURS[name], "head": HEADS, "mean": 0.3, "std": 0.1}
    scratch = build(tiny(**other), labels=3, seed=2, fold=0).state_dict()
    found = build(tiny(**other, weights=weights), labels=3, seed=2, fold=0).state_dict()
    source = artifacts.read_tensors(path)
    body = {name for name in found if name.startswith("backbone.")}
    assert body == {name for name in source if name.startswith("backbone.")}
    assert all(torch.equal(found[name], source[name]) for name in body)
    assert not torch.equal(*(x["backbone." + _stem(tmp_path)] for x in (found, scratch)))
    fresh = found.keys() - body
    assert len(fresh) == 4 and all(torch.equal(found[name], scratch[name]) for name in fresh)


def _stem(folder: Path) -> str:
    """Return the name of the first convolution's weights in the kept model."""
    network = models.load(folder / "model", 0).network
    convs = [k for k, x in network.backbone.named_modules() if isinstance(x, nn.Conv2d)]
    return f"{convs[0]}.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (mobile(widths=(8, 8, 16, 24, 32, 56, 120)), r"0 tensors missing \[\], 0 unexpected \[\], [1-9]"),
        (mobile(depths=(1, 2, 3, 4, 3, 3, 2)), r"[1-9]\d* tensors missing \['blocks\.6\.1\."),
        (mobile(depths=(1, 2, 3, 4, 3, 2, 1)), r"[1-9]\d* unexpected \['blocks\.5\.2\."),
    ],
)  # fmt: skip
def test_a_network_of_ours_is_taken_whole_or_not_at_all_though_a_searched_one_may_take_parts(
    tmp_path, change, message
):
    """timm's file of the same tensors is taken in part; of ours what fits not is an error."""
    path = kept(tmp_path / "model", tiny(backbone="searched", backbone_options=mobile()))
    source, timms = artifacts.read_tensors(path), tmp_path / "timm.safetensors"
    body = {k.removeprefix("backbone."): x for k, x in source.items() if "backbone." in k}
    digests = {path: file_sha256(path), timms: colour.write(timms, body)}
    network = backbones.create("searched", options=change, seed=3, stream=("test",))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(ValueError, match=rf"{message}.*options that `make keep` printed with it"):
        backbones.load_weights(network, path, sha256=digests[path], partial=True)
    assert all(torch.equal(x, before[name]) for name, x in network.state_dict().items())
    taken, everything = backbones.load_weights(network, timms, sha256=digests[timms], partial=True)
    assert taken > 0 and (taken < everything or "unexpected" in message)


def test_what_a_file_of_timms_may_lack_or_have_more_a_network_of_ours_may_not(tmp_path):
    """Counts of batches, a classifier, a stem in colour."""
    source = {f"backbone.{name}": x for name, x in small().state_dict().items()}
    source |= {"head.1.weight": torch.zeros(2, 1280), "head.1.bias": torch.zeros(2)}
    path, counted = tmp_path / "w.safetensors", "backbone.bn1.num_batches_tracked"
    taken, everything = backbones.load_weights(small(), path, sha256=colour.write(path, source))
    assert taken == everything
    stem = source["backbone.conv_stem.weight"].repeat(1, 3, 1, 1)
    for message, faulty in {
        r"1 tensors missing \['bn1\.num_batches_tracked'\]": {k: x for k, x in source.items() if k != counted},
        r"1 unexpected \['classifier\.bias'\]": {**source, "backbone.classifier.bias": torch.zeros(2)},
        r"1 of another shape \['conv_stem\.weight'\]": {**source, "backbone.conv_stem.weight": stem},
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            backbones.load_weights(small(), path, sha256=colour.write(path, faulty))


def test_a_model_of_ours_is_told_by_the_names_of_all_its_tensors():
    assert weights.is_ours(["backbone.conv.weight", "head.1.bias"])
    for names in ([], ["head.fc.weight"], ["backbone.conv.weight", "classifier.bias"], ["conv_stem"]):  # fmt: skip
        assert not weights.is_ours(names)
