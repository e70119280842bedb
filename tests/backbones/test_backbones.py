"""Backbones: timm's networks for one grey channel, and weight files that fit or are refused."""

import hashlib

import pytest
import timm
import torch

from cxr import artifacts, backbones, numerics

numerics.exact_torch()
OPTIONS = {"pad_type": "same", "bn_eps": 1e-3}


def create(name: str = "mobilenetv2_035") -> torch.nn.Module:
    return backbones.create(name, options=OPTIONS, seed=1, stream=("test",)).eval()


def write_rgb_weights(path, *, drop: str = "", add: str = "", classes: int = 10) -> str:
    """Write timm's own RGB network as a weight file; return its sha256."""
    with torch.random.fork_rng():
        tensors = timm.create_model("mobilenetv2_035", num_classes=classes, **OPTIONS).state_dict()
    tensors.pop(drop, None)
    if add:
        tensors[add] = torch.zeros(1)
    artifacts.write_tensors(path, tensors, {})
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_grey_stem_equals_the_grey_image_repeated_thrice(tmp_path):
    path = tmp_path / "w.safetensors"
    network = create()
    backbones.load_weights(network, path, sha256=write_rgb_weights(path))
    colour = timm.create_model("mobilenetv2_035", num_classes=0, **OPTIONS).eval()
    tensors = {
        k: v for k, v in artifacts.read_tensors(path).items() if not k.startswith("classifier")
    }
    colour.load_state_dict(tensors)
    grey = torch.linspace(-1, 1, 2 * 64 * 64).reshape(2, 1, 64, 64)
    with torch.no_grad():
        assert torch.allclose(network(grey), colour(grey.repeat(1, 3, 1, 1)), atol=1e-4)


def test_unknown_backbone_lists_near_names():
    with pytest.raises(ValueError, match=r"unknown backbone 'mobilenetv2_36'.*mobilenetv2_035"):
        backbones.create("mobilenetv2_36", options={}, seed=1, stream=("test",))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"drop": "conv_head.weight"}, r"1 tensors missing \['conv_head.weight'\]"),
        ({"add": "surprise.weight"}, r"1 unexpected \['surprise.weight'\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, fault, message):
    path = tmp_path / "w.safetensors"
    sha256 = write_rgb_weights(path, **fault)
    with pytest.raises(ValueError, match=message):
        backbones.load_weights(create(), path, sha256=sha256)


def test_other_content_missing_file_and_damage_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match=r"missing: run `make data DATASET=weights"):
        backbones.load_weights(create(), path, sha256="0" * 64)
    write_rgb_weights(path)
    with pytest.raises(ValueError, match="the recipe asks for 0000"):
        backbones.load_weights(create(), path, sha256="0" * 64)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"w\.safetensors is damaged"):
        backbones.load_weights(create(), path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_batch_norms_finds_timms_variants():
    assert len(backbones.batch_norms(create())) == 52


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv3_small_050", "resnet10t", "vgg11"])
def test_features_is_the_width_of_what_comes_out(name):
    with torch.device("meta"):
        network = timm.create_model(name, in_chans=1, num_classes=0).eval()
        assert network(torch.empty(1, 1, 64, 64)).shape == (1, backbones.features(network))
