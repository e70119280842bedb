"""Areas of sorted images: those of scikit-learn and torchmetrics, and the bits of cxr.metrics.auroc."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as torch_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from cxr import seeding
from cxr.metrics import auroc
from cxr.metrics.ranked import Ranked


def _case(levels: int, images: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = seeding.stream(7, "ranked", levels)
    truth = (rng.random(images) < 0.3).astype(np.float32)
    return truth, rng.integers(0, levels, images) / levels * 0.8 + 0.2 * truth


def _weights(images: int) -> np.ndarray:
    return seeding.stream(7, "times").integers(0, 4, (6, images)).astype(float)


@pytest.mark.parametrize("levels", [1, 3, 12, 10_000])
def test_areas_under_weights_are_scikit_learns_of_repeated_images(levels: int) -> None:
    truth, scores = _case(levels)
    weights = _weights(len(truth))
    ranks, precisions = Ranked(truth, scores).areas(weights)
    for times, rank, precision in zip(weights.astype(int), ranks, precisions, strict=True):
        drawn = np.repeat(truth, times), np.repeat(scores, times)
        assert rank == pytest.approx(reference.roc_auc_score(*drawn), abs=1e-12)
        assert precision == pytest.approx(reference.average_precision_score(*drawn), abs=1e-8)


def test_the_example_of_scikit_learns_documentation() -> None:
    # of roc_auc_score (0.75) and average_precision_score (0.83)
    truth, scores = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    rank, precision = Ranked(truth, scores).areas(np.ones((1, 4)))
    assert rank[0] == 0.75 and precision[0] == pytest.approx(5 / 6)


@pytest.mark.parametrize("levels", [3, 10_000])
def test_areas_are_torchmetrics(levels: int) -> None:
    truth, scores = _case(levels)
    ranks, precisions = Ranked(truth, scores).areas(np.ones((1, len(truth))))
    given_ = torch.from_numpy(scores), torch.from_numpy(truth).int()
    assert ranks[0] == pytest.approx(float(torch_reference.binary_auroc(*given_)), abs=1e-6)
    wanted = float(torch_reference.binary_average_precision(*given_))
    assert precisions[0] == pytest.approx(wanted, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, np.nan]), st.integers(0, 4), st.integers(0, 3)),
        min_size=1, max_size=12,
    )
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_the_auroc_has_the_bits_of_the_plain_one(rows: list[tuple[float, int, int]]) -> None:
    truth, scores, times = (np.array(column, float) for column in zip(*rows, strict=True))
    weights = np.stack([times, np.ones(len(rows))])
    found = Ranked(truth, scores).areas(weights)[0]
    np.testing.assert_array_equal(found, np.resize(auroc.auroc(truth, scores, weights), 2))


def test_a_side_that_is_absent_leaves_undefined_what_needs_it() -> None:
    scores = np.array([0.1, 0.2, 0.3])
    ones = np.ones((1, 3))
    assert np.isnan(Ranked(np.zeros(3), scores).areas(ones)).all()
    rank, precision = Ranked(np.ones(3), scores).areas(ones)
    assert np.isnan(rank[0]) and precision[0] == 1.0
    lost = np.array([[0.0, 2.0, 1.0]])  # the only image with the label is not drawn
    assert np.isnan(Ranked(np.array([1.0, 0, 0]), scores).areas(lost)).all()


def test_order_and_pieces_of_the_images_change_no_bit() -> None:
    truth, scores = _case(12)
    weights, order = _weights(len(truth)), seeding.stream(1, "order").permutation(len(truth))
    whole = np.stack(Ranked(truth, scores).areas(weights))
    turned = np.stack(Ranked(truth[order], scores[order]).areas(weights[:, order]))
    pieces = [np.stack(Ranked(truth, scores).areas(part)) for part in np.split(weights, 3)]
    assert whole.tobytes() == turned.tobytes() == np.concatenate(pieces, axis=1).tobytes()


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 scores are NaN.*learning_rate"):
        Ranked(np.array([0.0, 1.0]), np.array([0.3, np.nan]))
