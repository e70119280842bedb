"""A space under its caps: costs known before building, nothing above a cap, faults told at the door."""

from __future__ import annotations

import json
import re

import pytest

from cxr import numerics, params, seeding
from cxr.metrics import cost
from cxr.search import space
from cxr.training import network
from cxr.training.recipe import Head
from tests.search.settings import open_space
from tests.training.recipes import tiny

numerics.exact_torch()


def genomes(found, number=40):
    rng = seeding.stream(2, "genomes")
    return [tuple(int(rng.integers(gene.size)) for gene in found.genes) for _ in range(number)]


@pytest.mark.parametrize(
    "head",
    [{"kind": "linear", "hidden": [], "dropout": 0.0}, {"kind": "mlp", "hidden": [12, 7], "dropout": 0.1}],
)  # fmt: skip
def test_cost_is_that_of_the_built_network_with_its_head(head):
    found = open_space()
    caps = space.Caps(parameters=1, macs=1, size_px=40, labels=3, head=params.build(Head, head, where="head"))  # fmt: skip
    for genome in genomes(found, 8):
        architecture = found.architecture(genome)
        recipe = tiny(backbone="searched", backbone_options=architecture, head=head)
        built = network.build(recipe, labels=3, seed=1, fold=0)
        assert space.cost(architecture, caps) == (
            cost.parameters(built),
            cost.macs(built, size_px=40),
        )


def test_a_network_just_at_the_caps_is_allowed_and_one_above_is_not():
    free = open_space(max_macs=10**9, max_parameters=10**9)
    for genome in genomes(free, 10):
        caps = space.Caps(parameters=1, macs=1, size_px=32, labels=2, head=Head(kind="linear", hidden=[], dropout=0.0))  # fmt: skip
        parameters, macs = space.cost(free.architecture(genome), caps)
        assert open_space(max_macs=macs, max_parameters=parameters).allowed(genome)
        assert not open_space(max_macs=macs - 1, max_parameters=parameters).allowed(genome)
        assert not open_space(max_macs=macs, max_parameters=parameters - 1).allowed(genome)


def test_genomes_of_one_network_have_one_identity():
    found = open_space()
    plain = (0, 0, 0, 1, 1, 1, 0, 2, 1, 1, 1, 1)
    assert found.identity(plain) == found.identity((0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0))
    assert found.identity(plain) != found.identity((1, *plain[1:]))
    assert json.loads(found.identity(plain)) == found.architecture(plain)


def test_caps_that_none_can_meet_name_the_smallest_network_and_its_cost():
    with pytest.raises(ValueError) as error:
        open_space(max_macs=1000).check(image_px=32)
    words = re.search(r"the smallest is (\{.*\}) with ([\d,]+) MACs and ([\d,]+) parameters", str(error.value))  # fmt: skip
    assert words and "max_macs 1,000" in str(error.value)
    smallest, macs, parameters = (words[1], *(int(x.replace(",", "")) for x in words.groups()[1:]))
    assert json.loads(smallest)["stem"] == 4 and len(json.loads(smallest)["stages"]) == 1
    open_space(max_macs=macs, max_parameters=parameters).check(image_px=32)  # just enough
    with pytest.raises(ValueError, match="the smallest is"):
        open_space(max_macs=macs - 1, max_parameters=parameters).check(image_px=32)
    with pytest.raises(ValueError, match="the smallest is"):
        open_space(max_macs=macs, max_parameters=10).check(image_px=32)


def test_images_too_small_for_the_deepest_network_are_refused():
    open_space().check(image_px=8)
    with pytest.raises(
        ValueError, match=r"images of 7 px are too small: the deepest .* needs 8 px"
    ):
        open_space().check(image_px=7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "cells"}, "unknown search/spaces 'cells': known are staged"),
        ({"name": None}, "space.name is missing: known are staged"),
        ({"heights": [1]}, "space.heights is unknown: known are stems, stages"),
        ({"widths": []}, "space: widths is empty"),
    ],
)
def test_a_faulty_space_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        open_space(**change)
