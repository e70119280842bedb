"""A space under its caps: costs known before building, nothing above a cap, faults told at the door."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from cxr import numerics
from cxr.evolution import novelty
from cxr.metrics import cost
from cxr.search import space
from cxr.training import network
from tests.search.spaces.examples import CELLS, draws, open_space
from tests.training.recipes import tiny

numerics.exact_torch()
MLP = {"kind": "mlp", "hidden": [12, 7], "dropout": 0.1}


@pytest.mark.parametrize("head", [{"kind": "linear", "hidden": [], "dropout": 0.0}, MLP])
@pytest.mark.parametrize("name", ["cxr_cells", "mobile", "basalamah_grid"])
def test_cost_is_that_of_the_built_network_with_its_head(name, head):
    found = open_space(name, size_px=40, head=head)
    for genome in draws(found, 6):
        architecture = found.architecture(genome)
        recipe = tiny(backbone="searched", backbone_options=architecture, head=head)
        built = network.build(recipe, labels=3, seed=1, fold=0)
        assert dataclasses.asdict(found.cost(genome)) == {
            "parameters": cost.parameters(built),
            "macs": cost.macs(built, size_px=40),
            "activation_bytes": cost.activation_bytes(built, size_px=40),
        }


def test_a_network_just_at_the_caps_is_allowed_and_one_above_is_not():
    free = open_space()
    for genome in draws(free, 10):
        assert free.allowed(genome)
        found = free.cost(genome)
        mb = found.activation_bytes / 1e6
        at = {"parameters": found.parameters, "macs": found.macs, "activation_mb": mb}
        assert open_space(**at).allowed(genome)
        assert not open_space(**{**at, "macs": found.macs - 1}).allowed(genome)
        assert not open_space(**{**at, "parameters": found.parameters - 1}).allowed(genome)
        assert not open_space(**{**at, "activation_mb": mb - 1e-6}).allowed(genome)


def test_genomes_of_one_network_have_one_identity():
    found = open_space()
    plain = (0,) * len(found.genes)
    last = (*plain[:-1], 1)  # of a third stage that is not there
    assert found.identity(plain) == found.identity(last)
    assert found.identity(plain) != found.identity((0, 1, *plain[2:]))
    assert json.loads(found.identity(plain)) == found.architecture(plain)


def test_caps_that_none_can_meet_name_the_smallest_network_and_its_cost():
    with pytest.raises(ValueError) as error:
        open_space(macs=1000, parameters=9000).check(image_px=64)
    words = re.search(
        r"within the caps \(parameters 9,000, macs 1,000\): the smallest is (\{.*\}) with ([\d,]+) "
        r"MACs, ([\d,]+) parameters and [\d.]+ MB of activations; raise the caps or offer smaller",
        str(error.value),
    )
    assert words
    smallest, macs, parameters = (words[1], *(int(x.replace(",", "")) for x in words.groups()[1:]))
    assert json.loads(smallest)["stem"] == 8 and len(json.loads(smallest)["stages"]) == 2
    open_space(macs=macs, parameters=parameters).check(image_px=64)  # just enough
    for caps in (
        {"macs": macs - 1},
        {"macs": macs, "parameters": 10},
        {"macs": macs, "activation_mb": 1e-6},
    ):
        with pytest.raises(ValueError, match="the smallest is"):
            open_space(**caps).check(image_px=64)


def test_images_too_small_for_the_shallowest_network_are_refused():
    found = open_space(pools=["gap"], resolutions=[100, 50], stem_strides=[2])
    found.check(image_px=8)  # two stages at full resolution
    with pytest.raises(
        ValueError, match=r"images of 7 px are too small: the shallowest .* needs 8 px"
    ):
        found.check(image_px=7)


def test_networks_that_flatten_are_refused_where_images_are_shrunk():
    open_space().check(image_px=64)
    with pytest.raises(ValueError, match="image_px is 40, the prepared images have 64 px"):
        open_space().check(image_px=40)
    open_space(pools=["gap"]).check(image_px=40)


def test_the_number_of_genomes_and_their_order():
    found = open_space("basalamah_grid")
    assert found.size() == 27 == len(set(found.all()))
    assert list(found.all()) == sorted(found.all())
    assert open_space().size() > 10**9
    assert next(open_space().all()) == (0,) * len(open_space().genes)


def test_the_largest_is_near_the_caps_and_the_same_again(monkeypatch):
    monkeypatch.setattr(novelty, "DRAWS", 100)
    for caps in ({"macs": 2_000_000}, {"macs": 10_000_000, "parameters": 30_000}):
        found = open_space(**caps)
        genome = found.largest(7, "a")
        assert genome == open_space(**caps).largest(7, "a")
        assert found.allowed(genome)
        drawn = [found.cost(g).macs for g in draws(found, 100) if found.allowed(g)]
        assert found.cost(genome).macs >= 0.99 * max(drawn)
    assert found.cost(genome).parameters > 20_000
    free = open_space()
    assert free.cost(free.largest(7)).macs > 0.8 * caps_of_everything(free)


def caps_of_everything(found):
    """Return the MACs of the network whose genes are all at the costly end, as far as one can say."""
    ends = {"stages": 1, "resolution": 0, "stem": 1, "down": 0, "hidden": 1}
    stage = {"block": 1, "width": 2, "depth": 1, "kernel": 1, "expansion": 1, "se": 1}
    return found.cost(
        tuple({**ends, **stage}.get(gene.name.split()[0], 0) for gene in found.genes)
    ).macs


def test_where_no_draw_is_allowed_there_is_no_largest(monkeypatch):
    monkeypatch.setattr(novelty, "DRAWS", 20)
    with pytest.raises(ValueError, match="no allowed genome found in 20 draws"):
        open_space(macs=1).largest(1)


def test_a_space_says_what_it_is():
    found = open_space("mobile", macs=5)
    assert (found.name, found.caps.macs, found.caps.parameters) == ("mobile", 5, None)
    assert found.pretrained and not open_space().pretrained


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "cells"}, "search.space: unknown search/spaces 'cells': known are basalamah_grid, cxr_cells, mobile"),
        ({"name": None}, "search.space.name is missing: known are basalamah_grid, cxr_cells"),
        ({"heights": [1]}, "search.space.heights is unknown: known are stages, stems"),
        ({"widths": []}, "search.space: widths is empty"),
        ({"caps": {"parameters": 1, "macs": 1}}, "search.space.caps.activation_mb is missing"),
        ({"caps": {"parameters": 1, "macs": 0, "activation_mb": 1}}, "search.space.caps: macs must be above 0, or null"),
        ({"caps": None}, "search.space.caps must be a mapping"),
    ],
)  # fmt: skip
def test_a_faulty_space_is_told(change, message):
    caps = {"parameters": 1, "macs": 1, "activation_mb": 1.0}
    with pytest.raises(ValueError, match=message):
        space.read({"name": "cxr_cells", "caps": caps, **CELLS, **change}, where="search.space")


def test_all_faults_are_told_at_once_and_missing_caps_too():
    with pytest.raises(ValueError, match=r"(?s)space: widths is empty.*space.caps.macs must be"):
        space.read(
            {"name": "cxr_cells", **CELLS, "widths": [], "caps": {"parameters": 1, "macs": "1", "activation_mb": None}},
            where="space",
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"space.caps is missing: give parameters, macs"):
        space.read({"name": "cxr_cells", **CELLS}, where="space")
