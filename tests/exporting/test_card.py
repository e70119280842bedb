"""The card: what the model is, what it learned from and what it can't be trusted with."""

import dataclasses

import pytest

from cxr.exporting import card

CONFIG = {
    "labels": ["a", "b"], "loss": "cross_entropy", "mean": 0.4, "std": 0.2, "size_px": 32, "folds": 5,
    "test_views": 1, "calibration": "none", "backbone": "resnet18", "parameters": 10, "macs": 20,
}  # fmt: skip
STEPS = [{"name": "resize", "size_px": 32, "fit": "stretch"}]
ORIGIN = card.Origin(
    data_sets=["darkcovidnet"], preprocessing=STEPS, protocol="by_patient", test="in_turn"
)


def of(**changes):
    origin = dataclasses.replace(ORIGIN, **changes.pop("origin", {}))
    return card.about("toy", {**CONFIG, **changes}, origin, parameters=7, macs=9)


def test_it_says_what_a_stranger_needs():
    found = of()
    assert found["preprocessing"] == STEPS and found["labels"] == ["a", "b"]
    said = found["card"]
    assert said["data_sets"] == ["darkcovidnet"] and said["backbone"] == "resnet18"
    assert said["split"] == {"protocol": "by_patient", "folds": 5, "test": "in_turn"}
    assert (said["parameters"], said["macs"]) == (7, 9)  # its own, not those of the largest fold
    assert "reports/evaluate/toy/metrics.json" in said["figures"]
    assert said["notice"] == "Research use only, not a medical device."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calibration": "temperature"}, "are calibrated, on images of the same data sets"),
        ({"calibration": "none"}, "not calibrated"),
        ({"origin": {"protocol": "by_image"}}, "its figures are too good"),
        ({"origin": {"data_sets": ["phantom"]}}, "shows no patient"),
    ],
)
def test_its_limits_are_its_own(changes, words):
    said = of(**changes)["card"]["limits"]
    assert len([limit for limit in said if words in limit]) == 1
    others = [of()["card"]["limits"], of(calibration="temperature")["card"]["limits"]]
    assert not all(words in " ".join(limits) for limits in others)


def test_one_label_or_any_number():
    assert "exactly one" in of()["card"]["what"] and "by itself" in of(loss="bce")["card"]["what"]


def test_views_are_told_where_there_are_several():
    assert "test_views" not in of() and of(test_views=3)["test_views"] == 3
