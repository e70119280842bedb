"""Backbones: timm's networks under any of their names, for one grey channel, at the sizes that are used."""

from __future__ import annotations

import pytest
import timm
import torch

from cxr import backbones, numerics
from cxr.backbones.names import PAPERS
from cxr.metrics import cost
from tests.backbones.colour import SLIM

numerics.exact_torch()


def create(name: str = "mobilenetv2_035", *, seed: int = 1, **options) -> torch.nn.Module:
    return backbones.create(name, options=options, seed=seed, stream=("test",)).eval()


def test_a_papers_name_builds_the_network_of_timms_name():
    paper, timms = create("MobileNetV2").state_dict(), create("mobilenetv2_100").state_dict()
    assert paper.keys() == timms.keys()
    assert all(torch.equal(tensor, timms[name]) for name, tensor in paper.items())
    other = create("MobileNetV2", seed=2).state_dict()
    assert not torch.equal(paper["conv_stem.weight"], other["conv_stem.weight"])


PARAMETERS = {  # without a classifier, of one grey channel
    "VGG-16": 134_259_392,
    "VGG-19": 139_569_088,
    "ResNet-18": 11_170_240,
    "ResNet-50": 23_501_760,
    "Inception-v3": 21_784_992,
    "EfficientNet-B0": 4_006_972,
    "MobileNetV2": 2_223_296,
    "DenseNet-121": 6_947_584,
}
IN_TORCHVISION = {  # of a thousand classes, in colour
    "VGG-16": 138_357_544,
    "VGG-19": 143_667_240,
    "ResNet-18": 11_689_512,
    "ResNet-50": 25_557_032,
    "Inception-v3": 23_834_568,
    "EfficientNet-B0": 5_288_548,
    "MobileNetV2": 3_504_872,
    "DenseNet-121": 7_978_856,
}


@pytest.mark.parametrize("paper", PAPERS)
def test_a_papers_network_has_as_many_parameters_as_it_is_known_for(paper):
    """https://docs.pytorch.org/vision/stable/models.html, less the classifier and two colours."""
    with torch.device("meta"):
        network = create(paper)
    stem = network.get_submodule(network.pretrained_cfg["first_conv"]).weight
    assert cost.parameters(network) == PARAMETERS[paper]
    classifier = 1000 * backbones.features(network) + 1000
    colours = 2 * stem.numel()
    assert PARAMETERS[paper] + classifier + colours == IN_TORCHVISION[paper]


@pytest.mark.parametrize("options", [SLIM, {"pre_logits": False}])
@pytest.mark.parametrize("size_px", [96, 128, 224])
def test_vgg_runs_at_the_sizes_of_prepared_images(size_px, options):
    network = create("VGG-16", **options)
    with torch.no_grad():
        features = network(torch.rand(1, 1, size_px, size_px, generator=torch.Generator()))
    assert features.shape == (1, backbones.features(network))
    assert torch.isfinite(features).all() and features.std() > 0


def test_vgg_of_convolutions_alone_is_a_ninth_of_the_whole():
    with torch.device("meta"):
        whole, convolutions = create("VGG-16"), create("VGG-16", pre_logits=False)
    assert (backbones.features(whole), backbones.features(convolutions)) == (4096, 512)
    assert cost.parameters(convolutions) == 14_714_688 - 2 * 64 * 9  # Keras' include_top=False
    assert cost.macs(convolutions, size_px=224) == 15_346_630_656 - 2 * 64 * 9 * 224**2


def test_inception_runs_from_75_px():
    for size_px in (75, 299):
        with torch.device("meta"):
            assert create("Inception-v3")(torch.empty(1, 1, size_px, size_px)).shape == (1, 2048)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 3}, "backbone_options can't set num_classes: resnet10t gives features"),
        ({"aux_logits": True, "in_chans": 3}, "can't set in_chans, aux_logits"),
        ({"pre_logits": False}, "pre_logits goes with VGG, not with resnet10t"),
        ({"widht": 3}, "backbone_options of resnet10t: .*'widht'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        create("resnet10t", **options)


def test_an_unknown_backbone_lists_near_names():
    with pytest.raises(ValueError, match=r"unknown backbone 'mobilenetv2_36'.*mobilenetv2_035"):
        create("mobilenetv2_36")


def test_batch_norms_finds_timms_variants():
    assert len(backbones.batch_norms(create())) == 52


@pytest.mark.parametrize(
    "name", ["mobilenetv2_035", "mobilenetv3_small_050", "resnet10t", "vgg11", "inception_v3"]
)
def test_features_is_the_width_of_what_comes_out(name):
    with torch.device("meta"):
        network = timm.create_model(name, in_chans=1, num_classes=0).eval()
        assert network(torch.empty(1, 1, 96, 96)).shape == (1, backbones.features(network))
