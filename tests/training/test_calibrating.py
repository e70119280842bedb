"""Temperatures: those of the highest likelihood, within bounds, and a network that then means what it says."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from cxr import numerics, prepared, seeding
from cxr.metrics import auroc, calibration
from cxr.training import calibrating, loop, losses, models
from cxr.training.calibrating import HIGHEST, LOWEST
from cxr.training.network import build, last_layer
from tests.architectures.cases import cells, stage
from tests.training.recipes import tiny

numerics.exact_torch()
KINDS = ["cross_entropy", "bce", "asymmetric"]


def drawn(loss, *, images=400, labels=3, over=1.0):
    """Return raw scores and labels that come true as often as raw / `over` says; one in nine is unknown."""
    rng = seeding.stream(3, "calibrating", loss)
    fair = rng.normal(size=(images, labels)) * 1.5
    if loss == "cross_entropy":
        truth = (fair + rng.gumbel(size=fair.shape)).argmax(axis=1)  # a draw from softmax(fair)
        return fair * over, np.eye(labels, dtype=np.float32)[truth]
    truth = (rng.random(fair.shape) < 1 / (1 + np.exp(-fair))).astype(np.float32)
    truth.flat[::9] = np.nan
    return fair * over, truth


def likelihood(raw, labels, loss, temperature):
    """The plain mean negative log likelihood, by torch."""
    scaled = torch.from_numpy(raw / temperature)
    if loss == "cross_entropy":
        return float(functional.cross_entropy(scaled, torch.from_numpy(labels).argmax(dim=1)))
    known = ~np.isnan(labels)
    truth = torch.from_numpy(labels[known].astype(float))
    return float(
        functional.binary_cross_entropy_with_logits(scaled[torch.from_numpy(known)], truth)
    )


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("over", [0.2, 1.0, 6.0])
def test_it_is_the_one_of_the_highest_likelihood(loss, over):
    raw, labels = drawn(loss, over=over)
    found = calibrating.fit(raw, labels, loss)
    at, below, above = (likelihood(raw, labels, loss, found * x) for x in (1, 0.999, 1.001))
    assert at < below and at < above
    assert found == pytest.approx(over, rel=0.15) and found == round(found, 6)


@pytest.mark.parametrize("loss", KINDS)
def test_order_and_repetition_of_images_change_nothing(loss):
    raw, labels = drawn(loss)
    found = calibrating.fit(raw, labels, loss)
    assert calibrating.fit(raw[::-1], labels[::-1], loss) == found
    assert calibrating.fit(np.tile(raw, (3, 1)), np.tile(labels, (3, 1)), loss) == found


@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("size", [1.0, 1e6])
def test_where_the_likelihood_has_no_minimum_it_is_a_bound(loss, size):
    labels = np.eye(3, dtype=np.float32)
    right = (2 * labels - 1) * size
    assert calibrating.fit(right, labels, loss) == LOWEST
    assert calibrating.fit(-right, labels, loss) == HIGHEST


def test_one_image_that_is_wrong_by_far_is_enough_for_the_highest():
    right = np.repeat([[9.0, -9.0]], 9, axis=0)
    labels = np.repeat([[1.0, 0.0]], 9, axis=0)
    labels[0] = [0.0, 1.0]
    assert LOWEST < calibrating.fit(right, labels, "cross_entropy") < HIGHEST
    right[0] *= 1e5
    assert calibrating.fit(right, labels, "cross_entropy") == HIGHEST


@pytest.mark.parametrize("loss", KINDS)
def test_scores_that_are_all_the_same_stay_as_they_are(loss):
    labels = np.eye(3, dtype=np.float32)
    assert calibrating.fit(np.zeros((3, 3)), labels, loss) == 1.0
    if loss == "cross_entropy":
        assert calibrating.fit(np.full((3, 3), 7.0), labels, loss) == 1.0


def test_unknown_labels_are_left_out():
    raw, labels = drawn("bce", labels=1)
    known = ~np.isnan(labels[:, 0])
    assert 0 < known.sum() < len(labels)
    found = calibrating.fit(raw, labels, "bce")
    assert found == calibrating.fit(raw[known], labels[known], "bce")
    assert found != calibrating.fit(raw, np.nan_to_num(labels), "bce")


def test_what_cannot_be_fitted_is_refused():
    raw, labels = drawn("bce", images=4)
    with pytest.raises(ValueError, match=r"has 4 image\(s\) and no known label: .*\.calibration a"):
        calibrating.fit(raw, labels * np.nan, "bce")
    with pytest.raises(ValueError, match=r"calibration has 0 image\(s\) and no known label"):
        calibrating.fit(raw[:0], labels[:0], "asymmetric")
    with pytest.raises(ValueError, match="exactly one label per image"):
        calibrating.fit(raw, np.ones_like(labels), "cross_entropy")
    with pytest.raises(ValueError, match="raw scores to calibrate hold some that are not numbers"):
        calibrating.fit(raw * np.inf, labels, "bce")


def test_only_a_recipe_that_asks_for_a_temperature_needs_calibration_images():
    none = np.zeros((0, 2), np.float32)
    calibrating.check(tiny(), none, fold=1)
    with pytest.raises(
        ValueError, match=r"calibration of fold 1 has 0 .* or set calibration: none"
    ):
        calibrating.check(tiny(calibration="temperature"), none, fold=1)
    calibrating.check(tiny(calibration="temperature"), np.eye(2), fold=1)


def test_a_bound_is_told_with_its_fold(capfd):
    calibrating.tell_bounds([1.0, LOWEST, 3.0, HIGHEST], words="transfer@toy")
    first, second = capfd.readouterr().err.splitlines()
    assert "transfer@toy: temperature of fold 1 is the bound 0.05: all calibration images" in first
    assert "temperature of fold 3 is the bound 20: the scores say nothing" in second


def overconfident(folder, loss):
    """Return a network whose scores come true as often as a sixth of them says, and its images."""
    recipe = tiny(
        loss=loss, calibration="temperature", test_views=2, backbone="searched",
        backbone_options=cells(stage(width=8, depth=1), stem=8),
    )  # fmt: skip
    rng = seeding.stream(5, "overconfident")
    grey = rng.integers(0, 256, size=(600, 1, 1)) + rng.normal(size=(600, 16, 16)) * 40
    images = grey.clip(0, 255).astype(np.uint8)
    network = build(recipe, labels=3, seed=1, fold=0)
    with torch.no_grad():
        deviation, mean = torch.std_mean(loop.raw_scores(network, recipe, images), dim=0)
        last_layer(network).weight.mul_(9 / deviation[:, None])
        last_layer(network).bias.copy_(-9 * mean / deviation)
    raw = loop.raw_scores(network, recipe, images)
    chances = losses.probabilities(raw / 6, loss).numpy()
    if loss == "cross_entropy":
        truth = np.eye(3)[(chances.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1).clip(0, 2)]
    else:
        truth = (rng.random(chances.shape) < chances).astype(float)
    names = [f"toy/{i:03d}.png" for i in range(600)]
    index = pd.DataFrame({"image": names, "patient": names, "source": "toy", "view": "", "age_years": np.nan, "sex": ""})  # fmt: skip
    for number, label in enumerate("abc"):
        index[f"label:{label}"] = truth[:, number].astype(int)
    prepared.write(folder, images.__getitem__, index)
    return network, recipe, prepared.read(folder), truth


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_an_overconfident_network_means_what_it_says_on_images_it_was_not_calibrated_on(
    tmp_path, loss
):
    network, recipe, images, truth = overconfident(tmp_path, loss)
    held_out, rows = np.arange(300), np.arange(300, 600)
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    last_layer(network).bias.data.add_(5)  # an epoch that was not kept
    found = calibrating.temperature(network, recipe, tensors, images, rows)
    assert found == pytest.approx(6, rel=0.2)
    assert found == calibrating.fit(
        loop.raw_scores(network, recipe, images.gather(rows)).numpy(), truth[rows], loss
    )
    pixels, truth = images.gather(held_out), truth[held_out]
    before, after = (
        models.predict_once(models.Member(network, recipe, value), pixels) for value in (1.0, found)
    )
    errors = [
        calibration.reliability(
            *calibration.claims(truth, scores, exclusive=loss == "cross_entropy")
        ).ece
        for scores in (before, after)
    ]
    assert errors[1] < 0.5 * errors[0] and errors[0] > 0.1
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    if loss == "bce":  # uncalibrated, some scores are 1 in float32 and tie
        raw = loop.raw_scores(network, recipe, pixels).numpy()
        uncalibrated, calibrated, true = (auroc.per_label(truth, x) for x in (before, after, raw))
        assert np.array_equal(calibrated, true)
        np.testing.assert_allclose(uncalibrated, true, atol=1e-3)


def test_a_recipe_without_calibration_has_temperature_1_and_no_image_is_looked_at(tmp_path):
    network, recipe, images, _ = overconfident(tmp_path, "bce")
    plain = dataclasses.replace(recipe, calibration="none")
    nowhere = np.array([10**6])
    assert calibrating.temperature(network, plain, {}, images, nowhere) == 1.0
    with pytest.raises(ValueError, match=r"rows must lie in 0\.\.599"):
        calibrating.temperature(network, recipe, dict(network.state_dict()), images, nowhere)
