"""splitting: groups stay whole, parts get their share of every label, chance has one stream."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr import manifest as manifests
from cxr import seeding, splitting
from tests import factories

SHARES = {"train": 0.56, "search_val": 0.08, "val": 0.12, "calibration": 0.04, "test": 0.20}


def rng(seed: int = 1) -> np.random.Generator:
    return seeding.stream(seed, "test", "splitting")


def grouped(manifest: pd.DataFrame) -> pd.DataFrame:
    return manifest.assign(group=splitting.groups(manifest))


def test_a_group_is_a_patient_where_nothing_else_joins():
    manifest = factories.manifest(12)
    assert splitting.groups(manifest).tolist() == manifest["patient"].tolist()


def test_equal_pixels_join_patients_across_several_steps():
    manifest = factories.manifest(12)  # patients 0 … 5 with two images each
    pixels = manifest["pixels_sha256"]
    manifest.loc[4, "pixels_sha256"] = pixels[1]  # 2 with 0
    manifest.loc[5, "pixels_sha256"] = pixels[10]  # 2 with 5
    groups = splitting.groups(manifest)
    joined = manifest["patient"].isin(["toy/000000", "toy/000002", "toy/000005"])
    assert set(groups[joined]) == {"toy/000000"}
    assert groups[~joined].tolist() == manifest["patient"][~joined].tolist()


def test_groups_do_not_depend_on_the_order_of_rows():
    manifest = factories.manifest(40)
    manifest.loc[4, "pixels_sha256"] = manifest["pixels_sha256"][31]
    found = splitting.groups(manifest.iloc[rng().permutation(40)])
    pd.testing.assert_series_equal(found.sort_index(), splitting.groups(manifest))


def test_unreadable_images_without_pixels_join_nothing():
    manifest = factories.manifest(12)
    manifest["pixels_sha256"] = ""
    assert splitting.groups(manifest).nunique() == 6


def test_an_image_without_patient_is_refused():
    manifest = factories.manifest(12)
    manifest.loc[3, "patient"] = ""
    with pytest.raises(
        ValueError, match=r"1 images have no patient, first 'toy/images/000003.png'"
    ):
        splitting.groups(manifest)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    patients=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    copies=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=8),
    labels=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_patients_and_identical_pixels_never_cross(patients, copies, labels, seed):
    names = [f"label {i}" for i in range(labels)]
    manifest = factories.manifest(len(patients), labels=names, multilabel=True, seed=seed)
    manifest["patient"] = [f"toy/{patient}" for patient in patients]
    for one, other in copies:
        pixels = manifest["pixels_sha256"][one % len(patients)]
        manifest.loc[other % len(patients), "pixels_sha256"] = pixels
    groups = splitting.groups(manifest)
    array = manifests.label_array(manifest)
    manifest["part"] = splitting.assign(array, groups, SHARES, rng=rng(seed))
    assert manifest["part"].isin(SHARES).all()
    for column in ("patient", "pixels_sha256"):
        assert (manifest.groupby(column)["part"].nunique() == 1).all()


@pytest.mark.parametrize("multilabel", [False, True])
def test_every_part_has_its_share_of_images_groups_and_labels(multilabel):
    names = ["normal", "opacity", "effusion", "hernia"]
    manifest = factories.manifest(900, labels=names, images_per_patient=3, multilabel=multilabel)
    labels, groups = manifests.label_array(manifest), manifest["patient"]
    parts = splitting.assign(labels, groups, SHARES, rng=rng())
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
    parts = splitting.assign(labels, groups, SHARES, rng=rng())
    for part, share in SHARES.items():
        here = parts == part
        assert here.mean() == pytest.approx(share, abs=0.01)
        assert labels[here].sum(axis=0) / labels.sum(axis=0) == pytest.approx([share] * 3, abs=0.02)


def test_unknown_labels_count_for_nothing():
    labels = np.full((200, 2), np.nan, dtype=np.float32)
    labels[:100, 0] = 1.0
    parts = splitting.assign(labels, np.arange(200).astype(str), {"a": 0.5, "b": 0.5}, rng=rng())
    assert (parts == "a").sum() == 100 and (parts[:100] == "a").sum() == 50


def test_a_part_with_share_zero_gets_nothing():
    manifest = factories.manifest(60)
    labels = manifests.label_array(manifest)
    parts = splitting.assign(labels, manifest["patient"], {"a": 0.6, "b": 0.0, "c": 0.4}, rng=rng())
    assert set(parts) == {"a", "c"}


def test_no_share_at_all_is_refused():
    with pytest.raises(ValueError, match="no part has a share above 0"):
        splitting.assign(np.ones((2, 1)), np.array(["x", "y"]), {"a": 0.0}, rng=rng())


def test_the_same_stream_gives_the_same_parts_and_another_stream_others():
    manifest = factories.manifest(300)
    labels, groups = manifests.label_array(manifest), manifest["patient"]
    one, same, other = (splitting.assign(labels, groups, SHARES, rng=rng(s)) for s in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).mean() > 0.3


def test_parts_do_not_depend_on_the_order_of_rows():
    manifest = factories.manifest(300, multilabel=True)
    labels, groups = manifests.label_array(manifest), manifest["patient"].to_numpy(str)
    order = rng(5).permutation(300)
    straight = splitting.assign(labels, groups, SHARES, rng=rng())
    shuffled = splitting.assign(labels[order], groups[order], SHARES, rng=rng())
    assert (shuffled == straight[order]).all()


def test_given_parts_stay_and_the_rest_is_shared_among_the_others():
    manifest = grouped(factories.manifest(400))
    manifest["given_split"] = ["train"] * 300 + ["test"] * 100
    parts = splitting.divide(manifest, SHARES, rng=rng(), respect_given=True)
    assert (parts[300:] == "test").all() and not (parts[:300] == "test").any()
    assert (parts[:300] == "train").mean() == pytest.approx(0.56 / 0.8, abs=0.01)
    ignored = splitting.divide(manifest, SHARES, rng=rng(), respect_given=False)
    assert (ignored[:300] == "test").mean() == pytest.approx(0.2, abs=0.02)


def test_the_rest_of_a_group_in_a_given_part_is_excluded():
    manifest = grouped(factories.manifest(400))
    manifest["given_split"] = ["train"] * 201 + ["val"] * 98 + ["test"] * 101  # two patients cross
    parts = splitting.divide(manifest, SHARES, rng=rng(), respect_given=True)
    assert parts[[200, 201]].tolist() == [splitting.EXCLUDED, "val"]
    assert parts[[298, 299]].tolist() == [splitting.EXCLUDED, "test"]
    assert (parts == splitting.EXCLUDED).sum() == 2


def test_a_data_set_without_given_test_still_gives_to_test():
    manifest = factories.manifest(400)
    manifest["dataset"] = ["given"] * 200 + ["free"] * 200
    manifest.loc[:49, "given_split"] = "test"
    parts = splitting.divide(grouped(manifest), SHARES, rng=rng(), respect_given=True)
    assert not (parts[50:200] == "test").any()
    assert (parts[200:] == "test").mean() == pytest.approx(0.2, abs=0.02)


def test_each_image_is_test_in_exactly_one_fold():
    manifest = grouped(factories.manifest(300, labels=("a", "b", "c")))
    columns = splitting.folds(manifest, SHARES, rngs=[rng(i) for i in range(5)], rng=rng())
    tested = pd.concat(columns, axis=1).eq("test")
    assert (tested.sum(axis=1) == 1).all()
    assert tested.mean().tolist() == pytest.approx([0.2] * 5, abs=0.01)
    assert (columns[0] == "train").mean() == pytest.approx(0.56, abs=0.01)


@pytest.mark.slow
def test_chestxray14_is_divided_in_half_a_minute():
    names = [f"label {i}" for i in range(14)]
    manifest = factories.manifest(112_120, labels=names, images_per_patient=4, multilabel=True)
    start = time.perf_counter()
    groups = splitting.groups(manifest)
    splitting.assign(manifests.label_array(manifest), groups, SHARES, rng=rng())
    assert time.perf_counter() - start < 30
