"""Recipes are strict: contradictions are refused at the door."""

import pytest

from cxr import params
from cxr.training.recipe import Distillation, Weights
from tests.training.recipes import TINY, tiny


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"head": {"kind": "mlp", "hidden": [], "dropout": 0.0}},
            "hidden must be empty for kind linear",
        ),
        (
            {"head": {"kind": "linear", "hidden": [], "dropout": 1.0}},
            r"dropout must be in \[0, 1\)",
        ),
        ({"trainable": ["blocks.6"]}, "a head that is never trained only guesses"),
        ({"loss": "bce", "label_smoothing": 0.1}, "label_smoothing goes with loss cross_entropy"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"shards": 0}, "shards must be at least 1, and of 8 images a batch .* not 0"),
        ({"shards": 5}, r"a batch \(batch_size\) at most 4, 2 images each, not 5"),
        (
            {"shards": 2, "frozen_views": 1, "trainable": ["head"]},
            "frozen_views leaves too little to share out: set shards: 1",
        ),
        ({"std": 0.0}, "std must be above 0"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\)"),
        (
            {"weights": "searched"},
            r"weights: searched goes with backbone searched, not with mobile",
        ),
        (
            {"early_stopping": {"monitor": "f1", "patience": 1}},
            "monitor must be one of 'loss', 'auroc', 'accuracy', 'last'",
        ),
        ({"epochs": "two"}, "recipe.epochs must be int, not 'two'"),
        ({"epocs": 2}, "recipe.epocs is unknown"),
    ],
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        tiny(**change)


def test_all_faults_come_at_once():
    with pytest.raises(ValueError, match=r"(?s)epochs must be int.*batch_size must be int"):
        tiny(epochs="a", batch_size=1.5)
    assert set(TINY) == set(tiny().__dataclass_fields__)


@pytest.mark.parametrize("weights", [None, "searched", {"file": "x.safetensors", "sha256": "0"}])
def test_a_searched_backbone_takes_every_kind_of_weights(weights):
    made = tiny(backbone="searched", backbone_options={"stem": 8}, weights=weights).weights
    assert made == (Weights(**weights) if isinstance(weights, dict) else weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": 1.5}, r"weight must be in \[0, 1\], not 1.5"),
        ({"weight": -0.1}, r"weight must be in \[0, 1\]"),
        ({"temperature": 0.0}, "temperature must be above 0, not 0.0"),
    ],
)
def test_distillation_out_of_range_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        params.build(Distillation, {"weight": 0.5, "temperature": 2.0, **change}, where="prune")
