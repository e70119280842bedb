"""Recipes are strict: contradictions are refused at the door."""

import pytest

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
        ({"std": 0.0}, "std must be above 0"),
        ({"ema_decay": 1.0}, r"ema_decay must be in \[0, 1\)"),
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
