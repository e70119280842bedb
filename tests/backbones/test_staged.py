"""The searched family: every block builds, trains, costs what was counted, and can be pruned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_pruning
from torch import nn

from cxr import backbones, numerics, seeding
from cxr.backbones import staged
from cxr.metrics import cost

numerics.exact_torch()


def stage(block: str = "plain", width: int = 16, depth: int = 2, kernel: int = 3, **more: Any):
    """One stage as plain JSON; inverted blocks get an expansion."""
    expansion = {"expansion": 2} if block == "inverted" else {}
    return {"block": block, "width": width, "depth": depth, "kernel": kernel, **expansion, **more}


KINDS = {
    "plain": [stage(), stage(width=24)],
    "residual": [stage("residual"), stage("residual", width=24)],
    "inverted": [stage("inverted"), stage("inverted", width=24)],
    "narrow inverted": [stage("inverted", expansion=1), stage("inverted", expansion=1, depth=1)],
    "kernel 5": [stage(kernel=5), stage("residual", kernel=5), stage("inverted", kernel=5)],
    "mixed": [stage("residual"), stage("inverted", depth=3), stage(depth=1), stage("residual")],
}


@pytest.fixture(params=KINDS)
def architecture(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"stem": 8, "stages": KINDS[request.param]}


def create(architecture: dict[str, Any]) -> Any:
    return backbones.create("searched", options=architecture, seed=1, stream=("test",))


def images(size_px: int = 32) -> torch.Tensor:
    return torch.randn(4, 1, size_px, size_px, generator=seeding.torch_stream(1, "images"))


def test_every_parameter_learns_in_a_step(architecture):
    network = create(architecture)
    found = network(images())
    assert found.shape == (4, backbones.features(network))
    found.square().sum().backward()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    optimizer.step()
    assert [n for n, x in network.named_parameters() if torch.equal(x, before[n])] == []


@pytest.mark.parametrize("size_px", [32, 45])
def test_counted_cost_is_that_of_the_built_network(architecture, size_px):
    network = create(architecture)
    counted = staged.count(architecture, size_px=size_px)
    assert counted == (cost.parameters(network), cost.macs(network, size_px=size_px))


def test_each_stage_halves_the_side(architecture):
    network = create(architecture).eval()
    maps = network.stages(network.stem(images(64)))
    assert maps.shape[2:] == (64 // 2 ** (1 + len(architecture["stages"])),) * 2


def test_same_stream_same_weights_and_another_stream_others():
    architecture = {"stem": 8, "stages": KINDS["mixed"]}
    one, same = create(architecture).state_dict(), create(architecture).state_dict()
    other = backbones.create("searched", options=architecture, seed=1, stream=("x",)).state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["stem.path.0.0.weight"], other["stem.path.0.0.weight"])


def test_torch_pruning_traces_every_block(architecture):
    """Half of every group goes, and the network still works on what is left."""
    backbone = create(architecture)
    network = nn.Sequential(backbone, nn.Linear(backbone.num_features, 2)).eval()
    graph = torch_pruning.DependencyGraph().build_dependency(network, example_inputs=images())
    before = cost.macs(network, size_px=32)
    groups = list(graph.get_all_groups(ignored_layers=[network[1]], root_module_types=[nn.Conv2d]))
    assert groups
    for group in groups:
        root, cut = group[0].dep.target.module, group[0].dep.handler
        half = list(range(len(group[0].idxs) // 2))
        graph.get_pruning_group(root, cut, half).prune()
    assert cost.macs(network, size_px=32) < 0.45 * before
    assert network(images()).shape == (4, 2)
    depthwise = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert all(layer.groups == layer.in_channels == layer.out_channels for layer in depthwise)
    assert network[0].stem.path[0][0].out_channels == 4


def test_weights_are_taken_from_a_file_of_the_same_network(tmp_path):
    import hashlib

    from cxr import artifacts

    architecture = {"stem": 8, "stages": KINDS["residual"]}
    path = tmp_path / "weights.safetensors"
    source = create(architecture).state_dict()
    artifacts.write_tensors(path, source, {})
    network = backbones.create("searched", options=architecture, seed=2, stream=("test",))
    backbones.load_weights(network, path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert all(torch.equal(x, source[name]) for name, x in network.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"stages": [stage()]}, "architecture.stem is missing"),
        ({"stem": 0, "stages": [stage()]}, "architecture: stem must be at least 1, not 0"),
        ({"stem": 8, "stages": []}, "architecture: stages is empty"),
        ({"stem": 8, "stages": ["plain"]}, r"stages\[0\] must be a mapping, not 'plain'"),
        ({"stem": 8, "stages": [stage(), stage("dense")]}, r"stages\[1\].block must be one of 'pl"),
        ({"stem": 8, "stages": [stage(kernel=4)]}, r"stages\[0\].kernel must be one of 3, 5"),
        ({"stem": 8, "stages": [stage(depth=0)]}, r"stages\[0\]: depth must be at least 1"),
        ({"stem": 8, "stages": [stage(groups=2)]}, r"stages\[0\].groups is unknown"),
        ({"stem": 8, "stages": [stage(expansion=2)]}, r"stages\[0\]: expansion goes with block inv"),
        ({"stem": 8, "stages": [{**stage("inverted"), "expansion": None}]}, "expansion goes with"),
        ({"search": "small", "pick": "evolved"}, "architecture.search is unknown"),
    ],
)  # fmt: skip
def test_a_faulty_architecture_is_named(architecture, message):
    with pytest.raises(ValueError, match=message):
        staged.build(architecture)
    with pytest.raises(ValueError, match=message):
        staged.count(architecture, size_px=32)
