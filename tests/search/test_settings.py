"""What a search is told is checked at the door: terms that make no search are refused with their fault."""

from __future__ import annotations

import pytest

from cxr import params
from cxr.search.settings import Finalists, Prefilter, Training
from tests.search.settings import TRAINING, terms


def rungs(*pairs):
    return [{"networks": networks, "samples": samples} for networks, samples in pairs]


def test_a_generation_counts_the_images_of_all_rungs():
    found = terms(rungs=rungs((8, 100), (3, 400), (1, 900)))
    assert found.samples() == 8 * 100 + 3 * 400 + 900
    assert (found.top, terms(rungs=rungs((8, 100))).top) == (2, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methods": []}, "methods must be evolved, random, both or grid, not []"),
        ({"methods": ["random", "random"]}, "methods must be evolved, random, both or grid"),
        ({"methods": ["best"]}, "methods[0] must be one of 'evolved', 'random', 'grid', not 'best'"),
        ({"score": "loss"}, "score must be one of 'auroc', 'accuracy', not 'loss'"),
        ({"generations": 0}, "at least 1 generation and 1 rung are needed, not 0"),
        ({"rungs": []}, "at least 1 generation and 1 rung are needed, not 2 and []"),
        ({"rungs": rungs((1, 16))}, "rungs[0].networks must be at least 2, not 1"),
        ({"rungs": rungs((4, 0))}, "rungs[0].samples must be at least 1, not 0"),
        ({"rungs": rungs((4, 16), (0, 32))}, "rungs[1].networks must be at least 1, not 0"),
        ({"rungs": rungs((4, 16), (4, 32))}, "not 4 of 4 networks on 32 after 16 samples"),
        ({"rungs": rungs((4, 16), (3, 16))}, "not 3 of 4 networks on 16 after 16 samples"),
        ({"methods": ["grid", "random"]}, "a grid tries every network once: it goes with no other"),
        ({"methods": ["grid"]}, "one rung and generations 1, not with ['grid'], 2 rungs and 2"),
    ],
)  # fmt: skip
def test_terms_that_make_no_search_are_refused(change, message):
    with pytest.raises(ValueError) as error:
        terms(**change)
    assert message in str(error.value)


def test_a_grid_of_one_network_is_one():
    assert terms(methods=["grid"], rungs=rungs((1, 16)), generations=1).methods == ["grid"]


def test_finalists_and_a_pre_filter_need_something_to_do():
    with pytest.raises(ValueError, match="seeds must be at least 1, not 0"):
        Finalists(networks=1, seeds=0, samples=1)
    with pytest.raises(ValueError, match="draws must be at least 2, not 1"):
        Prefilter(proxy="macs", draws=1)


def test_a_training_is_the_recipe_of_a_searched_network():
    recipe = params.build(Training, TRAINING, where="training").recipe()
    assert (recipe.backbone, recipe.backbone_options, recipe.trainable) == ("searched", {}, ["all"])
    for name, value in TRAINING.items():
        found = getattr(recipe, name)
        assert (vars(found) if hasattr(found, "__dict__") else found) == value
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        params.build(Training, {**TRAINING, "batch_size": 0}, where="training")
