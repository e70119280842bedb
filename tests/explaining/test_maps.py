"""Maps add up to the score they explain, know nothing that all labels share, and are refused where there are none."""

import numpy as np
import pytest
import torch

from cxr import numerics
from cxr.explaining import maps
from cxr.exporting import maps as activation_maps
from cxr.training import batches, loop
from cxr.training.network import last_layer
from tests.architectures.cases import FLAT, cells, mobile, stage
from tests.exporting import toys
from tests.exporting.toys import SIZE_PX, SMALL

numerics.exact_torch()
MEANS = {
    "searched": SMALL,
    "searched mobile": {"backbone": "searched", "backbone_options": mobile(head=64)},
    "resnet": {"backbone": "resnet10t"},
    "vgg, convolutions alone": {"backbone": "vgg11", "backbone_options": {"pre_logits": False}},
}
DEEPER = {
    "hidden layers": {**SMALL, "head": {"kind": "mlp", "hidden": [8], "dropout": 0.0}},
    "a convolution behind the pooling": {"backbone": "mobilenetv3_small_100"},
    "dense layers": {"backbone": "searched", "backbone_options": cells(stage(), hidden=[8])},
}
FLATTENED = {"backbone": "searched", "backbone_options": cells(stage(), **FLAT)}
ASKED = np.array([0, 2, 1, 2])


def last_maps(member, images):
    (batch,) = batches.scored(images, member.recipe)
    with torch.no_grad():
        return maps.split(member.network.backbone)[0](batch)


@pytest.mark.parametrize("name", MEANS)
def test_behind_means_and_one_layer_it_is_the_class_activation_map(name):
    member = toys.member(**MEANS[name], loss="bce", size_px=64)
    images = toys.images(4, 64)
    found = maps.explain(member, images, ASKED)
    with torch.no_grad():
        whole = activation_maps.by_label(member.network, last_maps(member, images)).numpy()
    places = whole.shape[2] * whole.shape[3]
    by_hand = whole[np.arange(4), ASKED] / places
    assert found.shape == by_hand.shape and found.dtype == np.float32
    assert np.abs(found - by_hand).max() <= 1e-5 * np.abs(by_hand).max()


@pytest.mark.parametrize("changes", [SMALL, FLATTENED], ids=["means", "flattened"])
def test_what_the_places_add_sums_up_to_the_raw_score(changes):
    member, images = toys.member(**changes, loss="bce"), toys.images(4)
    raw = loop.raw_scores(member.network, member.recipe, images).numpy()[np.arange(4), ASKED]
    sums = maps.explain(member, images, ASKED).sum(axis=(1, 2)) + last_layer(member.network).bias.detach().numpy()[ASKED]  # fmt: skip
    assert np.abs(sums - raw).max() <= 1e-5 * np.abs(raw).max()


def test_with_a_softmax_the_other_labels_count_by_their_share():
    """w_l minus the others' weights, each by its softmax among the others, at the scores' own place."""
    member, images = toys.member(**SMALL, temperature=2.0), toys.images(4)
    raw = loop.raw_scores(member.network, member.recipe, images) / 2.0
    weights = last_layer(member.network).weight.detach() / 2.0
    features = last_maps(member, images)
    for i, label in enumerate(ASKED.tolist()):
        others = [other for other in range(3) if other != label]
        mixed = weights[label] - raw[i, others].softmax(dim=0) @ weights[others]
        by_hand = torch.einsum("c,chw->hw", mixed, features[i]) / features[0, 0].numel()
        found = maps.explain(member, images, ASKED)[i]
        assert np.allclose(found, by_hand, rtol=1e-3, atol=1e-5 * float(by_hand.abs().max()))


def test_what_is_added_to_all_raw_scores_alike_is_in_no_map():
    member, images = toys.member(**SMALL), toys.images(4)
    before = maps.explain(member, images, ASKED)
    with torch.no_grad():
        last_layer(member.network).weight.add_(torch.linspace(-3, 3, 16))
    after = maps.explain(member, images, ASKED)
    assert np.abs(after - before).max() <= 1e-3 * np.abs(before).max()


def test_log_odds_are_those_of_the_probability():
    raw = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]], dtype=torch.float64)
    asked = torch.tensor([2, 1])
    chance = raw.softmax(dim=1)[[0, 1], [2, 1]]
    assert torch.allclose(maps.log_odds(raw, asked, "cross_entropy"), torch.logit(chance))
    assert torch.equal(maps.log_odds(raw, asked, "bce"), raw[[0, 1], [2, 1]])


@pytest.mark.parametrize("name", DEEPER)
def test_with_more_layers_behind_the_maps_a_small_change_of_a_place_does_what_the_map_says(name):
    member = toys.member(**DEEPER[name], loss="bce", size_px=64)
    images, rest = toys.images(1, 64), maps.split(member.network.backbone)[1]
    found = maps.explain(member, images, np.array([1]))[0]
    features, network = last_maps(member, images).double(), member.network.double()
    row, column = np.unravel_index(np.abs(found).argmax(), found.shape)

    def score(factor):
        changed = features.clone()
        changed[:, :, row, column] *= factor
        with torch.no_grad():
            return float(network.head(rest(changed))[0, 1])

    slope = (score(1 + 1e-6) - score(1 - 1e-6)) / 2e-6
    assert slope == pytest.approx(float(found[row, column]), rel=1e-3)


def test_an_image_is_explained_alike_beside_others_and_twice():
    member, images = toys.member(**SMALL), toys.images(4)
    together = maps.explain(member, images, ASKED)
    assert np.array_equal(together, maps.explain(member, images, ASKED))
    alone = maps.explain(member, images[2:3], ASKED[2:3])
    assert np.allclose(alone[0], together[2], rtol=1e-4, atol=1e-6)


def test_a_backbone_without_maps_is_refused_with_the_cure():
    member = toys.member(**SMALL)
    member.network.backbone = torch.nn.Sequential(torch.nn.Flatten())
    with pytest.raises(ValueError, match=r"no maps .*Sequential.*: take the model out of explain"):
        maps.explain(member, toys.images(1), np.array([0]))
    options = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2}
    member = toys.member(backbone="vit_tiny_patch16_224", backbone_options=options)
    with pytest.raises(ValueError, match="no maps of channels, rows and columns"):
        maps.explain(member, toys.images(1), np.array([0]))


def test_a_backbone_that_does_more_than_its_two_parts_is_refused():
    member = toys.member(backbone="resnet10t")
    member.network.backbone.register_forward_hook(lambda module, given, features: 2 * features)
    with pytest.raises(
        ValueError, match="resnet10t does more than its two parts: raw scores differ"
    ):
        maps.explain(member, toys.images(1), np.array([0]))


def test_enlarged_maps_keep_the_value_in_the_middle_of_each_place():
    small = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    large = maps.enlarged(small, 9)
    assert np.allclose(large[:, 1::3, 1::3], small, atol=1e-6)
    assert large[0, 1, 2] == pytest.approx(1 / 3)
    assert maps.enlarged(small[:, :1, :1], SIZE_PX).shape == (1, SIZE_PX, SIZE_PX)
