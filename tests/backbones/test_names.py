"""Names: timm's, the papers' and Keras' lead to one network, unknown ones to those that are near."""

import pytest
import timm

from cxr.backbones.names import PAPERS, timm_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("VGG-16", "vgg16"),
        ("vgg-19", "vgg19"),
        ("VGG19", "vgg19"),
        ("ResNet-18", "resnet18"),
        ("RESNET50", "resnet50"),
        ("Inception-v3", "inception_v3"),
        ("InceptionV3", "inception_v3"),
        ("EfficientNet-B0", "efficientnet_b0"),
        ("efficientnetb0", "efficientnet_b0"),
        ("MobileNetV2", "mobilenetv2_100"),
        ("mobilenet-v2", "mobilenetv2_100"),
        ("DenseNet-121", "densenet121"),
        ("mobilenetv2_035", "mobilenetv2_035"),
        ("ResNet-50.tv_in1k", "resnet50.tv_in1k"),
    ],
)
def test_a_name_means_timms_network(name, expected):
    assert timm_name(name) == expected


def test_every_name_of_timm_means_itself():
    assert [name for name in timm.list_models() if timm_name(name) != name] == []
    assert [paper for paper, name in PAPERS.items() if timm_name(paper) != name] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ResNet-51", r"unknown backbone 'ResNet-51': timm has no .*; near it: .*ResNet-50"),
        ("mobilenetv2_36", "unknown backbone 'mobilenetv2_36'.*mobilenetv2_035"),
        ("zzz", "near it: none"),
        ("vgg16.a1_in1k", r"unknown weights 'vgg16.a1_in1k': of vgg16 timm has vgg16\.tv_in1k"),
        ("mobilenetv2_035.ra_in1k", "of mobilenetv2_035 timm has none"),
    ],
)
def test_an_unknown_name_is_refused_with_known_ones(name, message):
    with pytest.raises(ValueError, match=message):
        timm_name(name)
