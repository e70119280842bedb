"""stratify: whole groups, each part has its share of every label, chance has one stream."""

import time

import numpy as np
import pytest

from cxr import manifest as manifests
from cxr import seeding
from cxr.splitting import stratify
from tests import factories
from tests.splitting.cases import SHARES


def rng(seed: int = 1) -> np.random.Generator:
    return seeding.stream(seed, "test", "splitting")


@pytest.mark.parametrize("multilabel", [False, True])
def test_every_part_has_its_share_of_images_groups_and_labels(multilabel):
    names = ["normal", "opacity", "effusion", "hernia"]
    manifest = factories.manifest(900, labels=names, images_per_patient=3, multilabel=multilabel)
    labels, groups = manifests.label_array(manifest), manifest["patient"]
    parts = stratify.assign(labels, groups, SHARES, rng=rng())
    for part, share in SHARES.items():
        here = parts == part
        assert here.mean() == pytest.approx(share, abs=0.01)
        assert groups[here].nunique() / groups.nunique() == pytest.approx(share, abs=0.01)
        wanted = share * labels.sum(axis=0)
        assert labels[here].sum(axis=0) == pytest.approx(wanted, abs=3)  # one group


def test_groups_of_very_different_size_are_spread_too():
    """As in ChestX-ray14: most patients have one image, a few have a hundred and are the sickest."""
    size = np.minimum(rng().pareto(1.2, 800) * 2 + 1, 120).astype(int)
    groups = np.repeat(np.arange(800), size).astype(str)
    chance = np.repeat(np.minimum(0.02 * size, 0.6), size)
    chance_IL = chance[:, None] * [1.0, 0.3, 0.05]
    labels = (rng(2).random(chance_IL.shape) < chance_IL).astype(np.float32)
    parts = stratify.assign(labels, groups, SHARES, rng=rng())
    for part, share in SHARES.items():
        here = parts == part
        assert here.mean() == pytest.approx(share, abs=0.01)
        assert labels[here].sum(axis=0) / labels.sum(axis=0) == pytest.approx([share] * 3, abs=0.02)


def test_unknown_labels_count_for_nothing():
    labels = np.full((200, 2), np.nan, dtype=np.float32)
    labels[:100, 0] = 1.0
    parts = stratify.assign(labels, np.arange(200).astype(str), {"a": 0.5, "b": 0.5}, rng=rng())
    assert (parts == "a").sum() == 100 and (parts[:100] == "a").sum() == 50


def test_a_part_with_share_zero_gets_nothing():
    manifest = factories.manifest(60)
    labels = manifests.label_array(manifest)
    parts = stratify.assign(labels, manifest["patient"], {"a": 0.6, "b": 0.0, "c": 0.4}, rng=rng())
    assert set(parts) == {"a", "c"}


def test_no_share_at_all_is_refused():
    with pytest.raises(ValueError, match="no part has a share above 0"):
        stratify.assign(np.ones((2, 1)), np.array(["x", "y"]), {"a": 0.0}, rng=rng())


def test_the_same_stream_gives_the_same_parts_and_another_stream_others():
    manifest = factories.manifest(300)
    labels, groups = manifests.label_array(manifest), manifest["patient"]
    one, same, other = (stratify.assign(labels, groups, SHARES, rng=rng(s)) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).mean() > 0.3


def test_parts_do_not_depend_on_the_order_of_rows():
    manifest = factories.manifest(300, multilabel=True)
    labels, groups = manifests.label_array(manifest), manifest["patient"].to_numpy(str)
    order = rng(5).permutation(300)
    straight = stratify.assign(labels, groups, SHARES, rng=rng())
    shuffled = stratify.assign(labels[order], groups[order], SHARES, rng=rng())
    assert (shuffled == straight[order]).all()


def test_chestxray14_is_stratified_in_five_seconds():
    """30,805 patients of very different size, 14 labels of which the rarest has some 200 images."""
    size = np.minimum(rng().pareto(1.1, 30_805) * 1.6 + 1, 184).astype(int)
    groups = np.repeat([f"{patient:05d}" for patient in range(len(size))], size)
    often = np.geomspace(0.17, 0.002, 14)
    labels = (rng(2).random((len(groups), 14)) < often).astype(np.float32)
    start = time.perf_counter()
    parts = stratify.assign(labels, groups, SHARES, rng=rng())
    assert time.perf_counter() - start < 5
    for part, share in SHARES.items():
        here = labels[parts == part].sum(axis=0) / labels.sum(axis=0)
        assert np.abs(here - share).max() < 0.01
