"""The contract of every space in cxr/search/spaces: what it draws can be built, and is canonical."""

from __future__ import annotations

import dataclasses
import json

import pytest

from cxr import artifacts, numerics, params, plugins, seeding
from cxr.backbones import staged
from cxr.metrics import cost
from tests.search.settings import SPACE

numerics.exact_torch()
EXAMPLES = {"staged": {key: value for key, value in SPACE.items() if key != "name"}}


@pytest.fixture(params=plugins.names("search/spaces"))
def plugin(request):
    return plugins.load("search/spaces", request.param)


@pytest.fixture
def settings(plugin):
    name = plugin.__name__.rpartition(".")[2]
    assert name in EXAMPLES, f"add an example of {name}'s Params to this test"
    return params.build(plugin.Params, EXAMPLES[name], where=name)


@pytest.fixture
def genomes(plugin, settings):
    rng = seeding.stream(1, "genomes")
    sizes = [gene.size for gene in plugin.genes(settings)]
    return [tuple(int(rng.integers(size)) for size in sizes) for _ in range(300)]


def test_params_are_a_frozen_record_without_defaults(plugin):
    assert plugin.Params.__dataclass_params__.frozen
    for field in dataclasses.fields(plugin.Params):
        assert field.kw_only and field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


def test_every_genome_is_a_network_of_plain_json(plugin, settings, genomes):
    for genome in genomes[:20]:
        architecture = plugin.architecture(genome, settings)
        assert json.loads(artifacts.canonical_json(architecture)) == architecture
        network = staged.build(architecture)
        assert cost.macs(network, size_px=plugin.smallest_px(settings)) > 0


def test_every_gene_matters_somewhere(plugin, settings, genomes):
    for place, gene in enumerate(plugin.genes(settings)):
        changed = (
            (genome, (*genome[:place], (genome[place] + 1) % gene.size, *genome[place + 1 :]))
            for genome in genomes
        )
        assert any(
            plugin.architecture(one, settings) != plugin.architecture(other, settings)
            for one, other in changed
        ), gene.name


def test_no_network_undercuts_the_smallest(plugin, settings, genomes):
    least = [staged.count(network, size_px=40) for network in plugin.smallest(settings)]
    for genome in genomes:
        found = staged.count(plugin.architecture(genome, settings), size_px=40)
        assert any(x[0] <= found[0] and x[1] <= found[1] for x in least)
    drawn = {artifacts.canonical_json(plugin.architecture(g, settings)) for g in genomes}
    assert {artifacts.canonical_json(network) for network in plugin.smallest(settings)} & drawn
