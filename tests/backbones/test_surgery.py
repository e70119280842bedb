"""Surgery: the groups are what hangs together, and a cut removes just that."""

import copy

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch_pruning.pruner import function

from cxr import backbones, numerics, seeding
from cxr.backbones import surgery
from tests.architectures.cases import FAMILIES, KINDS, cells, draw, stage

numerics.exact_torch()
SIZE = 32
ALL_BLOCKS = cells(
    stage(), stage("residual", 24, kernel=5), stage("inverted", 24), stage("dense", 24)
)
DENSE = {"growth_rate": 8, "block_config": (2, 2)}
GROUPED = {"layers": [1, 1, 1, 1], "channels": [8, 16, 16, 24], "stem_width": 16, "cardinality": 4, "base_width": 64}  # fmt: skip
NETWORKS = {
    "mobilenetv2_035": ("mobilenetv2_035", {}),
    "resnet10t": ("resnet10t", {"channels": [8, 16, 24, 32], "stem_width": 16}),
    "searched": ("searched", ALL_BLOCKS),
    "squeeze_and_excite": ("mobilenetv3_small_050", {}),
    "concatenated": ("densenet121", DENSE),
    "grouped": ("resnext50_32x4d", GROUPED),
    "grouped, squeezed": ("seresnext26d_32x4d", GROUPED),
    "searched, squeezed": ("searched", KINDS["squeezed"]),
    "searched, group norms": ("searched", KINDS["everything"]),
    "searched, flat": ("searched", KINDS["flat"]),
    "searched, flat, dense layer": ("searched", KINDS["flat, dense layer"]),
    "searched, plain_cnn": ("searched", KINDS["plain_cnn"]),
    "searched, mobile": ("searched", KINDS["mobile, changed"]),
}
DRAWN = {
    f"{family} {number}": ("searched", draw(family, number))
    for family in FAMILIES
    for number in range(4)
}
"""Networks as a search may draw them."""


def build(name: str) -> nn.Sequential:
    backbone, options = {**NETWORKS, **DRAWN}[name]
    body = backbones.create(backbone, options=options, seed=1, stream=("test", name))
    with seeding.torch_global(1, "head"):
        network = nn.Sequential(body, nn.Linear(backbones.features(body), 3))
    _trained(network, centred=name == "concatenated")
    return network.eval()


def _trained(network: nn.Module, *, centred: bool) -> None:
    """Give every BatchNorm statistics and weights of its own, as training would.

    Centred ones make 0 of 0, so that a channel of zeros says nothing behind a concatenation either.
    """
    for number, layer in enumerate(backbones.batch_norms(network)):
        for name, tensor in layer.state_dict().items():
            if tensor.is_floating_point():
                draws = torch.rand(tensor.shape, generator=seeding.torch_stream(1, name, number))
                tensor.copy_(draws + 0.5)
                if centred and name in ("bias", "running_mean"):
                    tensor.zero_()


def groups(network: nn.Sequential) -> list[surgery.Group]:
    return surgery.groups(network, size_px=SIZE, ignored=[network[-1]])


def keep(network: nn.Sequential, kept) -> None:
    surgery.keep(network, kept, size_px=SIZE, ignored=[network[-1]])


def silence(network: nn.Sequential, kept) -> None:
    """Let all channels but the kept ones say 0, whatever the image; groups not named stay as they are."""
    for group in groups(network):
        gone = sorted(set(range(group.channels)) - set(kept.get(group.name, range(group.channels))))
        for layer in map(network.get_submodule, (*group.makers, *group.depthwise, *group.norms)):
            for tensor in (layer.weight, layer.bias):
                if tensor is not None:
                    tensor.data[gone] = 0


def some(network: nn.Sequential) -> dict[str, list[int]]:
    """Keep uneven parts of every group; whole groups of norms and convolutions where there are any."""
    return {
        group.name: [
            i for i in range(group.channels) if (i // group.multiple * 7 + place % 2) % 3
        ] or list(range(group.multiple))
        for place, group in enumerate(groups(network))
    }  # fmt: skip


def images(number: int = 2) -> torch.Tensor:
    return torch.rand((number, 1, SIZE, SIZE), generator=seeding.torch_stream(1, "images"))


@pytest.mark.parametrize(("name", "count"), [("mobilenetv2_035", 25), ("resnet10t", 10)])
def test_number_of_groups(name, count):
    network = timm.create_model(name, in_chans=1, num_classes=3)
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]
    assert len(surgery.groups(network, size_px=SIZE, ignored=[last])) == count


def test_a_group_holds_what_a_shortcut_ties_together():
    found = {group.name: group for group in groups(build("resnet10t"))}
    tied = found["0.layer2.0.conv2"]
    assert tied.makers == ("0.layer2.0.conv2", "0.layer2.0.downsample.1")
    assert tied.norms == ("0.layer2.0.bn2", "0.layer2.0.downsample.2")
    assert tied.takers == (("0.layer3.0.conv1", 1), ("0.layer3.0.downsample.1", 1))
    assert tied.channels == 16 and tied.depthwise == ()


def test_a_depthwise_convolution_is_no_maker_and_no_taker():
    found = {group.name: group for group in groups(build("mobilenetv2_035"))}
    widened = found["0.blocks.1.0.conv_pw"]
    assert widened.depthwise == ("0.blocks.1.0.conv_dw",)
    assert widened.norms == ("0.blocks.1.0.bn1", "0.blocks.1.0.bn2")
    assert widened.takers == (("0.blocks.1.0.conv_pwl", 1),)


@pytest.mark.parametrize("name", [*sorted(NETWORKS), *DRAWN])
def test_every_layer_but_the_head_can_be_cut(name):
    network = build(name)
    cut = [layer for group in groups(network) for layer in (*group.makers, *group.depthwise)]
    layers = [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert sorted(cut) == sorted(layers[:-1]) and layers[-1] == "1"


def test_groups_stand_in_network_order_and_leave_the_modes_as_they_were():
    network = build("mobilenetv2_035")
    network[0].blocks[2].train()
    modes = [module.training for module in network.modules()]
    found = groups(network)
    assert [module.training for module in network.modules()] == modes
    order = [name for name, _ in network.named_modules()]
    assert [g.name for g in found] == sorted((g.name for g in found), key=order.index)


@pytest.mark.parametrize("name", [*sorted(NETWORKS), *DRAWN])
def test_a_cut_takes_just_the_channels_that_are_not_kept(name):
    """Channels that are 0 for every image say nothing: without them the scores stay as they were."""
    network = build(name)
    kept = some(network)
    silence(network, kept)
    cut = copy.deepcopy(network)
    keep(cut, kept)
    for group in groups(network):
        assert len(cut.get_submodule(group.name).weight) == len(kept[group.name])
    with torch.no_grad():
        assert torch.allclose(cut(images()), network(images()), rtol=1e-4, atol=1e-5)
        assert not torch.allclose(network(images()), build(name)(images()), rtol=1e-2)


@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(data=st.data())
def test_any_choice_of_channels_leaves_the_network_that_has_no_others(data):
    """Any non-empty set of each group's channels: the cut network says what the zeroed one does."""
    parent = build("mobilenetv2_035")
    kept = {
        group.name: sorted(data.draw(st.sets(st.integers(0, group.channels - 1), min_size=1)))
        for group in data.draw(st.permutations(groups(parent)))[:6]
    }
    _trained(parent, centred=True)
    zeroed, cut = copy.deepcopy(parent), copy.deepcopy(parent)
    silence(zeroed, kept)
    keep(cut, kept)
    with torch.no_grad():
        assert torch.allclose(cut(images()), zeroed(images()), atol=1e-4)


def test_what_is_cut_can_be_trained():
    network = build("searched")
    keep(network, some(network))
    network.train()(images(4)).sum().backward()
    assert all(p.grad is not None and p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"0.layer9": [0]}, r"no group '0\.layer9' to cut channels from: known are 0\.conv1\.0, "),
        ({"0.conv1.0": []}, r"0\.conv1\.0 has channels 0\.\.11; .*not \[\]"),
        ({"0.conv1.0": [2, 1]}, r"ascending, none twice, not \[2, 1\]"),
        ({"0.conv1.0": [1, 1]}, r"ascending, none twice, not \[1, 1\]"),
        ({"0.conv1.0": [0, 12]}, r"must be some of them, ascending, none twice, not \[0, 12\]"),
        ({"0.conv1.0": [-1, 0]}, r"not \[-1, 0\]"),
        ({"0.conv1.0": list(range(20))}, r"not \[0, 1, 2, 3, 4, 5, 6, 7, …\]"),
    ],
)
def test_channels_that_are_not_there_are_refused(kept, message):
    with pytest.raises(ValueError, match=message):
        keep(build("resnet10t"), kept)


def test_a_frozen_network_is_refused_where_torch_pruning_would_cut_nothing():
    network = build("resnet10t")
    for parameter in network[0].layer1.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match=r"9 parameters are frozen \(first: 0\.layer1\.0\.conv1"):
        keep(network, {})
    with pytest.raises(ValueError, match="silently"):
        groups(network)


def test_a_cut_that_did_nothing_is_told(monkeypatch):
    network = build("resnet10t")
    monkeypatch.setattr(function.ConvPruner, "prune_out_channels", lambda *_: None)
    with pytest.raises(ValueError, match=r"conv1\.0 has 12 channels after the cut, not 8.*MACs"):
        keep(network, {"0.conv1.0": list(range(8))})


@pytest.mark.parametrize(
    "middle", [nn.Conv2d(8, 12, 3, groups=2), nn.GroupNorm(2, 8), nn.Conv2d(8, 16, 1, groups=8)]
)
def test_channels_are_left_alone_where_a_cut_is_not_one_choice_for_all_layers(middle):
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(3)]
    network = nn.Sequential(nn.Conv2d(1, 8, 3), middle, *tail)
    network(images())
    assert groups(network) == []


def test_groupnorms_are_cut_by_whole_groups():
    network = build("searched, group norms")
    found = {group.name: group for group in groups(network)}
    stem = found["0.stem.0.0"]
    assert (stem.channels, len(stem.norms), stem.multiple) == (16, 5, 8)  # tied by shortcuts
    keep(network, {"0.stem.0.0": list(range(1, 9))})
    for norm in map(network.get_submodule, stem.norms):
        assert (norm.num_channels, norm.num_groups) == (8, 1)
    assert network(images()).shape == (2, 3)
    with pytest.raises(
        ValueError, match=r"GroupNorm of 8 channels a group: keep a multiple of 8, not 3"
    ):
        keep(build("searched, group norms"), {"0.stem.0.0": [1, 2, 3]})


def test_convolutions_in_groups_are_cut_by_whole_groups():
    network, parent = build("grouped"), build("grouped")
    found = {group.name: group for group in groups(network)}
    inside = found["0.layer2.0.conv1"]
    assert inside.makers == ("0.layer2.0.conv1",) and inside.depthwise == ("0.layer2.0.conv2",)
    assert inside.norms == ("0.layer2.0.bn1", "0.layer2.0.bn2")
    assert inside.takers == (("0.layer2.0.conv3", 1),)
    assert (inside.channels, inside.block, inside.multiple) == (64, 16, 16)
    kept = [*range(16, 32), *range(48, 64)]
    keep(network, {"0.layer2.0.conv1": kept})
    cut, whole = network[0].layer2[0].conv2, parent[0].layer2[0].conv2
    assert (cut.in_channels, cut.out_channels, cut.groups) == (32, 32, 2)
    assert torch.equal(cut.weight, whole.weight[kept])
    with pytest.raises(
        ValueError, match=r"in groups of 16 channels: keep all or none of 0\.\.15, of"
    ):
        keep(build("grouped"), {"0.layer2.0.conv1": list(range(8, 24))})


@pytest.mark.parametrize(
    ("cut", "block", "multiple"), [(4, 4, 8), (2, 8, 8), (1, 1, 8), (16, 1, 8)]
)
def test_a_groupnorm_and_a_convolution_in_groups_both_stay_full(cut, block, multiple):
    layers = [nn.Conv2d(1, 16, 3), nn.Conv2d(16, 16, 3, groups=cut), nn.GroupNorm(2, 16)]
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3)]
    network = nn.Sequential(*layers[:2], nn.ReLU(), layers[2], *tail)
    last = groups(network)[-1]
    assert (last.block, last.multiple, last.channels) == (block, multiple, 16)
    with pytest.raises(ValueError, match="keep a multiple of 8, not 4" if block < 5 else "0..7"):
        keep(network, {last.name: [0, 1, 2, 3]})
    keep(network, {last.name: list(range(8, 16))})
    assert network(images()).shape == (2, 3)
    assert layers[1].weight.shape[0] == 8 and layers[2].num_groups == 1


def test_a_batchnorm_over_a_concatenation_keeps_what_belongs_to_the_channels_kept():
    parent = build("concatenated")
    _trained(parent, centred=False)
    network = copy.deepcopy(parent)
    first, second = "0.features.conv0", "0.features.denseblock1.denselayer1.conv2"
    keep(network, {first: [1, 5, 14], second: [0, 7]})
    places = [1, 5, 14, 16, 23]
    cut, whole = (each[0].features.denseblock1.denselayer2 for each in (network, parent))
    assert cut.norm1.num_features == 5
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert torch.equal(getattr(cut.norm1, name), getattr(whole.norm1, name)[places])
    assert torch.equal(cut.conv1.weight, whole.conv1.weight[:, places])


def test_all_that_a_shortcut_ties_is_cut_in_front_of_flattened_maps():
    found = {group.name: group for group in groups(build("searched, flat, dense layer"))}
    last = found["0.stage0.0.path.1.0"]
    ties = ("0.stage0.0.path.1.0", "0.stage0.0.shortcut.0.0", "0.stage0.1.path.1.0")
    assert last.makers == ties and last.takers == (("0.stage0.1.path.0.0", 1), ("0.dense0.0.0", 64))


class _Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([half.relu() for half in x.chunk(2, dim=1)], dim=1)


def test_a_network_that_torch_pruning_trips_over_is_told():
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)]
    network = nn.Sequential(nn.Conv2d(1, 8, 3), _Halves(), *tail)
    with pytest.raises(
        ValueError, match=r"can't follow this network at 32 px \(.*another backbone"
    ):
        groups(network.train())
    assert network.training


def test_the_output_of_a_network_stays_and_flattened_maps_count_each_place():
    body = [nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.AdaptiveAvgPool2d(2)]
    network = nn.Sequential(*body, nn.Flatten())
    assert [g.name for g in surgery.groups(network, size_px=SIZE, ignored=[])] == ["0"]
    network.append(nn.Linear(64, 3))
    first, second = groups(network)
    assert first.takers == (("2", 1),) and second.takers == (("5", 4),)
    keep(network, {"2": [3, 5]})
    assert network(images()).shape == (2, 3) and network[-1].in_features == 8
