"""Strangeness: few held-out images above 1, all that is turned, inverted or no X-ray, alike in both runtimes."""

import numpy as np
import onnx
import pytest
import torch

from cxr import numerics, seeding
from cxr.exporting import evaluating, graph, quantizing, running, strangeness
from cxr.phantom.patient import patient
from cxr.phantom.radiograph import radiographs
from cxr.training import loop
from cxr.training.network import last_layer
from tests.architectures.cases import KINDS
from tests.exporting import toys

numerics.exact_torch()


@pytest.fixture(scope="module")
def chests() -> np.ndarray:
    """Phantoms, uint8 (90, 32, 32)."""
    people = [patient(1, number, task="multiclass") for number in range(90)]
    return np.stack([radiographs(1, who, image_px=32)[0].pixels_HW for who in people])


@pytest.fixture(scope="module")
def member():
    return toys.member(**toys.SMALL)


@pytest.fixture(scope="module")
def fitted(member, chests) -> strangeness.Fitted:
    return fit(member, chests)


def fit(member, chests: np.ndarray) -> strangeness.Fitted:
    train, val = ((x, graph.features(member, x)) for x in (chests[:45], chests[45:70]))
    return strangeness.fit(train, val)


def scores(fitted, member, images: np.ndarray) -> np.ndarray:
    images = np.ascontiguousarray(images)
    return fitted.strangeness.of(images, graph.features(member, images))


def test_no_more_than_one_in_twenty_of_val_is_above_the_threshold(fitted, member, chests):
    assert fitted.refused <= 0.05 and (fitted.train_images, fitted.held_out_images) == (45, 25)
    assert (scores(fitted, member, chests[45:70]) > 1).mean() == fitted.refused
    assert (scores(fitted, member, chests[70:]) > 1).mean() <= 0.25  # of 20, seen by nothing


def test_the_threshold_is_the_tolerance_limit_of_what_was_held_out(member):
    """Of 100 the limit has one above it, where the conformal place would leave four."""
    noise = toys.images(145)
    train, val = ((x, graph.features(member, x)) for x in (noise[:45], noise[45:]))
    fitted = strangeness.fit(train, val)
    assert fitted.refused == 1 / 100
    assert fitted.strangeness.of(*val).max() > strangeness.THRESHOLD
    said = strangeness.describe(fitted, name="strangeness")["strangeness"]
    assert said["refused_at_most"] == 0.05 and said["confidence"] == 0.9629


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: 255 - x,
        lambda x: np.rot90(x, 1, (1, 2)),
        lambda x: np.rot90(x, 2, (1, 2)),
        lambda x: np.rot90(x, 3, (1, 2)),
        lambda x: np.full_like(x, 90),
        lambda x: np.where(x > 127, 255, 0).astype(np.uint8),
        lambda x: toys.images(len(x)),
    ],
    ids=["inverted", "left", "upside down", "right", "grey", "black and white", "noise"],
)
def test_what_is_no_upright_chest_is_above_it(fitted, member, chests, wrong):
    assert (scores(fitted, member, wrong(chests[70:])) > 1).mean() >= 0.95


@pytest.mark.parametrize(
    "changes",
    [
        toys.SMALL,
        {"backbone": "mobilenetv2_035"},
        {"backbone": "resnet10t", "head": {"kind": "mlp", "hidden": [8], "dropout": 0.5}},
        {"backbone": "searched", "backbone_options": KINDS["everything"]},
    ],
    ids=["maps", "mobilenetv2", "hidden layer", "everything"],
)
def test_both_runtimes_find_the_same_strange_for_any_network(chests, changes):
    member = toys.member(**changes)
    found = fit(member, chests)
    content = graph.to_onnx(member, size_px=32, about=toys.ABOUT, strange=found)
    mixed = np.concatenate([chests[60:], 255 - chests[60:], toys.images(10)])
    assert running.compare(content, member, mixed) <= running.LARGEST_DIFFERENCE
    apart = running.compare_strangeness(content, member, found, mixed)
    assert 0 <= apart <= running.LARGEST_STRANGENESS_DIFFERENCE
    said = graph.about(content)["strangeness"]
    assert (said["name"], said["threshold"], said["shape"]) == ("strangeness", 1.0, ["batch"])
    assert content == graph.to_onnx(member, size_px=32, about=toys.ABOUT, strange=fit(member, chests))  # fmt: skip


def test_a_file_that_finds_other_images_strange_is_refused(fitted, member, chests):
    content = graph.to_onnx(member, size_px=32, about={}, strange=fitted)
    model = onnx.load_from_string(content)
    (tensor,) = (x for x in model.graph.initializer if x.name == "strange.middles")
    moved = onnx.numpy_helper.to_array(tensor) + np.float32(1)
    tensor.CopyFrom(onnx.numpy_helper.from_array(moved, tensor.name))
    with pytest.raises(
        ValueError, match=r"finds other images strange than PyTorch: .* at most 0\.002"
    ):
        running.compare_strangeness(model.SerializeToString(), member, fitted, chests)


def test_whole_numbers_leave_it_as_it_is(fitted, member, chests):
    content = graph.to_onnx(member, size_px=32, about={}, strange=fitted)
    whole = graph.finished(quantizing.quantize(content, chests[:16]), graph.about(content))
    exact = evaluating.run(onnx.load_from_string(whole), 255 - chests[:8])["strangeness"]
    float32 = running.outputs(content, 255 - chests[:8])["strangeness"]
    assert np.abs(exact - float32).max() <= 0.02 * np.abs(float32).max()


def test_it_costs_little(fitted, member):
    plain = graph.to_onnx(member, size_px=32, about={})
    added = len(graph.to_onnx(member, size_px=32, about={}, strange=fitted)) - len(plain)
    assert added < 50_000 + 64 * 8


@pytest.mark.parametrize("size_px", [8, 9, 31, 224])
def test_any_side_has_thumbnails_that_keep_the_mean(size_px):
    image = toys.images(2, size_px)
    small, rest = strangeness.Picture(size_px)(torch.from_numpy(image[:, None]).float())
    assert small.shape == (2, 256) and torch.isfinite(rest).all()
    assert np.allclose(small.mean(dim=1), image.mean(axis=(1, 2)) / 255, atol=1e-5)
    assert rest.shape[1] == 9 + 2 * {8: 2, 9: 2, 31: 3, 224: 4}[size_px]


def test_a_gaussian_of_all_axes_is_the_usual_mahalanobis_distance():
    rng = seeding.stream(1, "gaussian")
    x = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    found = strangeness.Gaussian(x, np.ones(6))(torch.from_numpy(x).float()).numpy()
    apart = x - x.mean(axis=0)
    usual = np.sqrt(np.einsum("nd,nd->n", apart @ np.linalg.inv(apart.T @ apart / 500), apart))
    assert np.allclose(found, usual, rtol=1e-3)


def test_few_images_are_told_and_two_are_enough(member, chests):
    one = (chests[:1], graph.features(member, chests[:1]))
    two = (chests[:2], graph.features(member, chests[:2]))
    assert strangeness.fit(two, one).refused == 0
    for train, val in ((one, two), (two, (one[0][:0], one[1][:0]))):
        with pytest.raises(
            ValueError, match=r"expected two and one at least: see split\.fractions"
        ):
            strangeness.fit(train, val)


def test_rows_are_spread_evenly_from_first_to_last():
    assert strangeness.spread(np.arange(10, 20), 4).tolist() == [10, 13, 16, 19]
    assert strangeness.spread(np.arange(3), 500).tolist() == [0, 1, 2]


def test_features_are_what_the_last_layer_is_given(member):
    images = toys.images(3)
    given = torch.from_numpy(graph.features(member, images))
    with torch.inference_mode():
        raw = last_layer(member.network)(given)
    assert torch.allclose(raw, loop.raw_scores(member.network, member.recipe, images), atol=1e-4)
