"""Origins: what a model is, in words, for every way in which a study makes one."""

import pytest

from cxr.pruning import methods
from cxr.report import origins
from tests.report import cases


def _words(name, recipe=None, **changes):
    study = cases.whole(**changes)
    if recipe is not None:
        study.params["transfer"] = {"recipes": {**cases.RECIPES, name: recipe}}
    model = cases.model(name)
    reader = cases.Reader(origins.words(study, model))
    return reader.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet10t", "fine-tuned from ImageNet weights"),
        ("searched", "found by search small , trained from scratch"),
        ("random", "the best of the random networks of search small , its baseline; trained from scratch"),
        ("searched-pruned_50", "searched pruned to 49 % of its MACs by evolution, which won the contest of all methods, fine-tuned with distillation"),
        ("searched-pruned_30", "searched pruned to 30 % of its MACs by Taylor, which won the contest of all methods, fine-tuned with distillation"),
        ("searched-uniform_50", "searched pruned uniformly to 48 % of its MACs: a baseline, fine-tuned with distillation alike"),
        ("searched-evolved_30", ""),  # no cut that is fine-tuned
        ("unknown", ""),
        ("resnet10t-pruned_50", ""),
    ],
)  # fmt: skip
def test_a_model_is_described_by_the_parameters(name, words):
    assert _words(name) == words


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"weights": None, "epochs": 1}, "trained from scratch"),
        ({"weights": {"file": "a/own.safetensors"}}, "fine-tuned from the weights in own.safetensors"),
        ({"weights": {"file": "a/net.ra_in1k.safetensors"}}, "fine-tuned from ImageNet weights"),
        ({"weights": {"hub": "vgg16.tv_in1k", "sha256": "0"}}, "fine-tuned from ImageNet weights"),
        ({"weights": None, "trainable": ["head", "blocks.6.*"]},
         "trained from scratch (head, blocks.6.* alone; the rest is frozen)"),
        ({"backbone": "searched", "backbone_options": {"search": "s", "pick": "evolved"}, "weights": "searched"},
         "found by search s , fine-tuned from the weights of its search"),
        ({"backbone": "searched", "backbone_options": {"search": "s", "pick": "grid"}, "weights": None},
         "the best of the grid of search s , trained from scratch"),
        ({"backbone": "searched", "backbone_options": {"family": "cells"}, "weights": {"file": "a/kept.safetensors"}},
         "fine-tuned from the weights in kept.safetensors"),
    ],
)  # fmt: skip
def test_a_recipe_tells_where_training_started(recipe, words):
    assert _words("x", recipe) == words


def test_without_reports_the_wanted_share_is_said():
    assert _words("searched-pruned_30", prunings=[]) == (
        "searched pruned to at most 30 % of its MACs by the method that won the contest, fine-tuned "
        "with distillation"
    )
    assert "searched pruned uniformly to at most 50 % of its MACs" in _words(
        "searched-uniform_50", prunings=[]
    )


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_has_words(method):
    finish = {"cuts": [f"{method}_50"], "recipes": {"searched": cases.FINISH}}
    words = _words(
        f"searched-{method}_50", params={**cases.whole().params, "finish": finish}, prunings=[]
    )
    assert words.startswith(f"searched pruned {origins.BY[method]} to at most 50 % of its MACs")
    assert (": a baseline" in words) == (method != "evolved")


def test_folds_may_have_been_cut_by_different_methods():
    found = cases.pruning(3)
    found.metrics["folds"][1]["cuts"]["pruned_50"]["origin"] = "uniform"
    assert (
        "to 49 % of its MACs by what won the contest of each fold (by evolution in 2, uniformly in 1), "
    ) in _words("searched-pruned_50", folds=3, prunings=[found])


def test_without_distillation_none_is_claimed():
    params = cases.whole().params
    recipe = {**cases.FINISH, "distillation": {"weight": 0.0, "temperature": 1.0}}
    finish = {"cuts": ["pruned_50"], "recipes": {"searched": recipe}}
    words = _words("searched-pruned_50", params={**params, "finish": finish})
    assert words.endswith("won the contest of all methods, fine-tuned")


def test_a_taught_model_names_its_teacher_and_the_run_that_it_repeats():
    params = cases.whole().params
    distill = {"teacher": "resnet10t", "runs": ["searched"], "recipes": {"searched": cases.TAUGHT}}
    params = {**params, "distill": distill}
    words = "searched trained again from its start, taught by resnet10t"
    assert _words("searched-taught", params=params) == words
    assert origins.parents(params, ["searched", "searched-taught"]) == {
        "searched-taught": "searched"
    }
    assert origins.share_of_parent(cases.whole(params=params), "searched-taught") is None


def test_parents_are_those_of_cut_models_alone():
    params = cases.whole().params
    names = ["resnet10t", "searched", "searched-pruned_50", "searched-evolved_50"]
    assert origins.parents(params, names) == {"searched-pruned_50": "searched"}


def test_a_recipe_of_that_name_goes_before_a_pruned_one():
    params = cases.whole().params
    params["transfer"] = {"recipes": {"searched-pruned_50": {"weights": None}}}
    assert origins.origin(params, "searched-pruned_50").kind == "trained"


def test_a_share_is_the_mean_over_folds_of_their_own_parents():
    study = cases.whole(folds=2)
    metrics = study.prunings[0].metrics
    own = [
        {"cuts": {"pruned_50": {"macs": 5}}, "parent": {"macs": 10}},
        {"cuts": {"pruned_50": {"macs": 9}}, "parent": {"macs": 12}},
    ]
    metrics["folds"] = own
    assert origins.share_of_parent(study, "searched-pruned_50") == pytest.approx(0.625)
    assert origins.share_of_parent(study, "searched-uniform_50") is None  # not found
    assert origins.share_of_parent(study, "searched") is None
