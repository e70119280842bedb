"""Maps: their means plus bias are the raw scores; where that can't be, there are none and it says why."""

import numpy as np
import pytest
import torch

from cxr import numerics
from cxr.exporting import graph, maps, running
from cxr.training import loop
from cxr.training.network import last_layer
from tests.architectures.cases import FLAT, cells, mobile, stage
from tests.exporting import toys
from tests.exporting.toys import SIZE_PX, SMALL

numerics.exact_torch()
WITH_MAPS = {
    "searched": SMALL,
    "searched mobile": {"backbone": "searched", "backbone_options": mobile(head=64)},
    "mobilenetv2": {"backbone": "mobilenetv2_035"},
    "resnet": {"backbone": "resnet10t"},
    "vgg, convolutions alone": {"backbone": "vgg11", "backbone_options": {"pre_logits": False}},
}
WITHOUT = {
    "hidden layers": ({**SMALL, "head": {"kind": "mlp", "hidden": [8], "dropout": 0.0}}, "hidden layers"),
    "dense layers": (
        {"backbone": "searched", "backbone_options": cells(stage(), hidden=[8])}, "behind the pooling",
    ),
    "flattened": ({"backbone": "searched", "backbone_options": cells(stage(), **FLAT)}, "every place"),
    "a convolution behind": ({"backbone": "mobilenetv3_small_100"}, "behind the pooling"),
    "largest values": ({"backbone": "resnet10t", "backbone_options": {"global_pool": "max"}}, "no means"),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_MAPS)
def test_the_mean_of_a_map_plus_the_bias_is_the_raw_score(name):
    member, size_px = toys.member(**WITH_MAPS[name], size_px=64), 64
    images = toys.images(4, size_px)
    content = graph.to_onnx(member, size_px=size_px, about={})
    found, said = running.outputs(content, images), graph.about(content)["maps"]
    assert list(found["maps"].shape[1:]) == said["shape"][1:]
    assert said["bias"] == last_layer(member.network).bias.tolist() == [0, 1, 2]
    raw = loop.raw_scores(member.network, member.recipe, images).numpy()
    means = found["maps"].mean(axis=(2, 3)) + said["bias"]
    assert np.abs(means - raw).max() <= 1e-5 * np.abs(raw).max()
    assert np.ptp(found["maps"], axis=(2, 3)).max() > 0.01 or name == "searched mobile"


def test_a_map_says_what_every_place_adds():
    """Each place's features through the last layer, by hand."""
    member = toys.member(**SMALL)
    found = maps.find(member.network, size_px=SIZE_PX)
    assert isinstance(found, maps.Pooling) and found.sides == (4, 4)
    with torch.inference_mode():
        last = found.maps(torch.ones(1, 1, SIZE_PX, SIZE_PX))
        layer = last_layer(member.network)
        by_hand = layer(last[0, :, 1, 2]) - layer.bias
        by_label = maps.by_label(member.network, last)
    assert torch.allclose(by_label[0, :, 1, 2], by_hand, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_network_without_such_maps_has_no_output_and_says_why(name):
    changes, reason = WITHOUT[name]
    size_px = 64 if "searched" not in str(changes) else SIZE_PX
    member = toys.member(size_px=size_px, **changes)
    content = graph.to_onnx(member, size_px=size_px, about={"fold": 0})
    images = toys.images(2, size_px)
    assert list(running.outputs(content, images)) == ["probabilities"]
    said = graph.about(content)
    assert said["maps"] is None and reason in said["no_maps"] and said["fold"] == 0
    assert running.compare(content, member, images) <= running.LARGEST_DIFFERENCE


def test_a_backbone_of_unknown_parts_has_none():
    network = toys.member(**SMALL).network
    network.backbone = torch.nn.Sequential(torch.nn.Flatten())
    found = maps.find(network, size_px=SIZE_PX)
    assert found == "the backbone does not say which its last maps are"
