"""What a backbone may be called: timm's name, with or without a tag of weights, or the papers'.

timm's names: https://huggingface.co/docs/timm/models. The papers of the studies write VGG-16 or
Inception-v3, Keras writes VGG16 or InceptionV3; all of them mean one architecture.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

import timm

PAPERS: Mapping[str, str] = {
    "VGG-16": "vgg16",
    "VGG-19": "vgg19",
    "ResNet-18": "resnet18",
    "ResNet-50": "resnet50",
    "Inception-v3": "inception_v3",
    "EfficientNet-B0": "efficientnet_b0",
    "MobileNetV2": "mobilenetv2_100",
    "DenseNet-121": "densenet121",
}
"""The papers' names and timm's. Inception-v3 is made for 299 px (at least 75), the others for 224."""


def timm_name(name: str) -> str:
    """Return timm's name of the network that timm, a paper or Keras calls `name`, its tag kept.

    A paper's name may be in any case, with or without hyphens. Raises ValueError with near names for
    a network that timm does not know, and with the known tags for one that it has no weights of.
    """
    network, dot, tag = name.partition(".")
    if not timm.is_model(network):
        network = _FOLDED.get(_folded(network), network)
    if not timm.is_model(network):
        near = _near(network, [*timm.list_models(), *PAPERS])
        raise ValueError(f"unknown backbone {name!r}: timm has no such network; near it: {near}")
    tags = timm.list_pretrained(f"{network}.*")
    if dot and f"{network}.{tag}" not in tags:
        known = ", ".join(tags) or "none"
        raise ValueError(f"unknown weights {name!r}: of {network} timm has {known}")
    return f"{network}{dot}{tag}"


def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


_FOLDED = {_folded(paper): name for paper, name in PAPERS.items()}


def _near(name: str, known: Sequence[str]) -> str:
    return ", ".join(difflib.get_close_matches(name, known, n=6)) or "none"
