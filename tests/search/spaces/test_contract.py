"""The contract of every space in cxr/search/spaces: what it draws can be built, and is canonical."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from cxr import architectures, artifacts, backbones, numerics, plugins
from cxr.metrics import cost
from tests.search.spaces.examples import EXAMPLES, draws, open_space

numerics.exact_torch()
NAMES = plugins.names("search/spaces")
SIZE_PX = 64


@pytest.fixture(params=NAMES)
def found(request):
    assert request.param in EXAMPLES, f"add an example of {request.param}'s Params to examples.py"
    return open_space(request.param, size_px=SIZE_PX)


def test_params_are_a_frozen_record_without_defaults(found):
    assert found.plugin.Params.__dataclass_params__.frozen
    for field in dataclasses.fields(found.plugin.Params):
        assert field.kw_only and field.default is dataclasses.MISSING
        assert field.default_factory is dataclasses.MISSING


def test_every_genome_is_a_network_of_plain_json_that_costs_what_was_counted(found):
    for genome in draws(found, 12):
        architecture = found.architecture(genome)
        assert json.loads(artifacts.canonical_json(architecture)) == architecture
        network = backbones.create("searched", options=architecture, seed=1, stream=("test",))
        counted = architectures.cost(architecture, size_px=SIZE_PX)
        assert counted.parameters == cost.parameters(network)
        assert counted.macs == cost.macs(network, size_px=SIZE_PX)


def test_every_gene_matters_somewhere(found):
    genomes = draws(found, 300)
    for place, gene in enumerate(found.genes):
        changed = (
            (genome, (*genome[:place], (genome[place] + 1) % gene.size, *genome[place + 1 :]))
            for genome in genomes
        )
        assert any(found.identity(one) != found.identity(other) for one, other in changed), (
            gene.name
        )


def test_names_of_genes_are_unique_and_a_groups_genes_stand_together(found):
    names = [gene.name for gene in found.genes]
    assert len(set(names)) == len(names)
    groups = [gene.group for gene in found.genes if gene.group]
    starts = [g for place, g in enumerate(groups) if not place or groups[place - 1] != g]
    assert len(set(starts)) == len(starts)


def test_no_network_undercuts_the_smallest(found):
    smallest = found.plugin.smallest(found.settings, size_px=SIZE_PX)
    ranges = [range(gene.size) for gene in found.genes]
    assert all(all(map(range.__contains__, ranges, genome)) for genome in smallest)
    least = [demands(found, genome) for genome in smallest if fits(found, genome)]
    for genome in filter(lambda g: fits(found, g), draws(found, 250)):
        own = demands(found, genome)
        assert any(all(map(int.__le__, x, own)) for x in least), found.identity(genome)


def test_no_network_works_on_smaller_images_than_the_smallest(found):
    smallest = found.plugin.smallest(found.settings, size_px=SIZE_PX)
    needed = min(map(found.needed_px, smallest))
    assert needed == min(map(found.needed_px, draws(found, 250)))


def fits(found, genome):
    return found.needed_px(genome) <= SIZE_PX


def demands(found, genome):
    return dataclasses.astuple(found.cost(genome))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_here_needs_torch(name):
    code = (
        f"import sys; from cxr import plugins; plugins.load('search/spaces', {name!r})\n"
        "import cxr.search.space; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
