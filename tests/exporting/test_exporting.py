"""Exports of all families, float and int8, are the same bytes in two processes."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from tests.architectures.cases import cells, stage
from tests.conftest import ROOT

CODE = """
import stages, hashlib, json, sys
from cxr import numerics
numerics.exact_torch()
from cxr.exporting import evaluating, graph, quantizing
from tests.exporting import toys
changes, size_px, int8 = json.loads(sys.argv[1])
member = toys.member(size_px=size_px, **changes)
content = graph.to_onnx(member, size_px=size_px, about=toys.ABOUT)
found = [content]
if int8:
    images = toys.images(8, size_px)
    whole = graph.finished(quantizing.quantize(content, images), {})
    found += [whole, evaluating.probabilities(whole, images).tobytes()]
print([hashlib.sha256(x).hexdigest() for x in found])
"""
FEW = {
    "resnet10t": {"backbone": "resnet10t"},
    "mobilenetv2_035": {"backbone": "mobilenetv2_035"},
    "searched": {
        "backbone": "searched",
        "backbone_options": cells(stage("dense"), stage("inverted", se=True), norm="group"),
    },
}
FAMILIES = ["MobileNetV2", "ResNet-18", "ResNet-50", "EfficientNet-B0", "DenseNet-121", "VGG-16"]


def hashes(changes: dict, size_px: int, *, int8: bool, **environment: str) -> str:
    """Return the hashes of a network's files, made by a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([changes, size_px, int8])],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FEW)
def test_two_processes_give_the_same_bytes(name):
    one = hashes(FEW[name], 32, int8=True)
    assert one == hashes(FEW[name], 32, int8=True, CXR_WORKERS="1", LANG="C")
    assert one.count("'") == 6 and hashlib.sha256(b"").hexdigest() not in one


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_two_processes_give_the_same_bytes_of_every_family(name):
    changes = {"backbone": name}
    if name == "VGG-16":
        changes["backbone_options"] = {"pre_logits": False}
    assert hashes(changes, 32, int8=True) == hashes(changes, 32, int8=True)


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_of_half_a_gigabyte():
    """VGG-16 with its layers of 4096, which take 7 x 7 maps."""
    assert hashes({"backbone": "VGG-16"}, 224, int8=False) == hashes(
        {"backbone": "VGG-16"}, 224, int8=False
    )
