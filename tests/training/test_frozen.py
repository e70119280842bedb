"""The cut: as high as it can be, below all that training changes, and the network is the sum of its parts."""

import pytest
import torch
from torch import nn

from cxr import numerics, seeding
from cxr.training import frozen
from cxr.training.network import Network, build, freeze, train_mode
from tests.training.recipes import tiny
from tests.training.test_loop import SEARCHED

numerics.exact_torch()
SMALL = {"mlp_ratio": 0.01}  # VGG without its 120 million weights behind the pooling
FLAT = {**SEARCHED, "pool": "flatten", "side_px": 32, "hidden": [8]}
MOBILE = {
    "family": "mobile", "stem": 8, "head": 16,
    "stages": [{"width": 8, "depth": 1, "expansion": 1 if i == 0 else 2, "kernel": 3} for i in range(7)],
}  # fmt: skip
CUTS = [
    ("mobilenetv2_100", {}, [], "classifier"),
    ("mobilenetv2_035", {}, ["conv_head", "bn2"], "blocks.6.0.bn3"),
    ("mobilenetv2_035", {}, ["blocks.6.0.conv_pwl", "blocks.6.0.bn3"], "blocks.6.0.se"),
    ("mobilenetv2_035", {}, ["blocks.5.2.conv_pwl"], "blocks.5.1.add"),  # beside it is a shortcut
    ("mobilenetv2_035", {"drop_rate": 0.2}, [], "global_pool.flatten"),
    ("mobilenetv2_035", {"drop_path_rate": 0.2}, [], "blocks.1.0.bn3"),
    ("resnet18", {}, ["layer4"], "layer3.1.act2"),
    ("resnet50", {}, ["layer4.2.conv3"], "layer4.1.act3"),
    ("vgg16", SMALL, ["pre_logits"], "features.30"),
    ("vgg16", {**SMALL, "drop_rate": 0.5}, [], "features.30"),
    ("vgg19", SMALL, ["features.34"], "features.33"),
    ("efficientnet_b0", {}, ["blocks.6"], "blocks.5.3.add"),
    ("densenet121", {}, ["features.denseblock4.denselayer9"], "features.transition3.pool"),
    ("inception_v3", {}, ["Mixed_7c"], "Mixed_7b.cat_2"),
    ("mixnet_s", {}, ["blocks.1.0.conv_dw"], "blocks.1.0.bn1"),  # then it is split
    ("vit_tiny_patch16_224", {"img_size": 32}, ["blocks.11"], "blocks.10.add_1"),
    ("searched", SEARCHED, ["stage0"], "stem.0.2"),
    ("searched", {**SEARCHED, "resolution": 50}, [], "pool.0.mean"),
    ("searched", FLAT, ["dense0"], "pool.0"),
    ("searched", MOBILE, ["blocks.6"], "blocks.5.0.bn3"),
]


def network(backbone: str, options: dict, trained: list[str]) -> Network:
    recipe = tiny(backbone=backbone, backbone_options=options, trainable=["head", *trained])
    made = build(recipe, labels=2, seed=1, fold=0)
    freeze(made, recipe.trainable)
    return made


def images(side: int, *, count: int = 3) -> torch.Tensor:
    return torch.randn(count, 1, side, side, generator=seeding.torch_stream(1, "images"))


def gradients(module: nn.Module, inputs: torch.Tensor, made: Network) -> dict[str, torch.Tensor]:
    with seeding.torch_global(1, "dropout"):
        module(inputs).square().sum().backward()
    found = {name: x.grad for name, x in made.named_parameters() if x.grad is not None}
    made.zero_grad(set_to_none=True)
    return found


@pytest.mark.parametrize(("backbone", "options", "trained", "place"), CUTS)
def test_both_parts_in_a_row_are_the_network_and_train_the_same(backbone, options, trained, place):
    made = network(backbone, options, trained)
    side = 96 if backbone == "inception_v3" else 32
    cut = frozen.cut(made, size_px=side)
    above = frozen.Above(made, cut)
    assert cut.place == place
    assert not any(x.requires_grad for x in cut.below.parameters())
    with torch.inference_mode():
        assert torch.equal(above.eval()(cut.below(images(side))), made(images(side)))
    train_mode(made)
    with torch.no_grad():
        features = cut.below(images(side))
    assert features.shape[1:] == cut.shape
    with_images, with_features = (
        gradients(module, inputs, made)
        for module, inputs in ((made, images(side)), (above, features))
    )
    wanted = [name for name, x in made.named_parameters() if x.requires_grad]
    assert sorted(with_images) == sorted(with_features) == sorted(wanted)
    assert all(torch.equal(with_images[name], with_features[name]) for name in wanted)


def test_dropout_above_the_cut_drops_while_training_alone():
    made = network("mobilenetv2_035", {"drop_rate": 0.5}, [])
    cut = frozen.cut(made, size_px=32)
    above, features = frozen.Above(made, cut), cut.below(images(32))

    def twice() -> tuple[torch.Tensor, torch.Tensor]:
        with seeding.torch_global(1, "dropout"):
            return above(features), above(features)

    assert not torch.equal(*twice())
    above.eval()
    assert torch.equal(*twice())


def test_a_norm_by_the_batchs_own_statistics_lies_above():
    made = network("mobilenetv2_035", {}, [])
    norm = made.backbone.blocks[3][0].bn1
    norm.running_mean = norm.running_var = None
    assert frozen.cut(made, size_px=32).place == "blocks.3.0.conv_pw"


@pytest.mark.parametrize("trained", [["conv_stem"], ["bn1", "conv_stem.weight"]])
def test_a_trained_first_layer_is_refused_by_name(trained):
    words = r"no frozen layer lies below conv_stem.* \(conv_stem\.weight.*frozen_views: 0"
    with pytest.raises(ValueError, match=words):
        frozen.cut(network("mobilenetv2_035", {}, trained), size_px=32)


class Moody(nn.Conv2d):
    """Does something else with bright images."""

    def forward(self, images_B1HW):
        features = super().forward(images_B1HW)
        return (features if images_B1HW.mean() > 0 else -features).mean(dim=(2, 3))


def test_a_network_whose_operations_depend_on_the_images_is_refused():
    made = Network(Moody(1, 4, 3), nn.Linear(4, 2))
    made.backbone.requires_grad_(False)
    with pytest.raises(ValueError, match=r"Moody can't be cut.*control flow.*frozen_views: 0"):
        frozen.cut(made, size_px=32)
