"""grouping: what links connect is one group, whatever the order of rows, and fast."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cxr.splitting import grouping
from tests import factories
from tests.splitting import cases


def groups(manifest: pd.DataFrame, near: pd.DataFrame | None = None) -> pd.Series:
    found = grouping.groups(grouping.by_patient(manifest, near))
    return pd.Series(found, index=manifest["image"])


def test_a_group_is_a_patient_where_nothing_else_joins():
    manifest = factories.manifest(12)
    assert groups(manifest).tolist() == manifest["patient"].tolist()


def test_equal_pixels_join_patients_across_several_steps():
    manifest = factories.manifest(12)  # patients 0 … 5 with two images each
    pixels = manifest["pixels_sha256"]
    manifest.loc[4, "pixels_sha256"] = pixels[1]  # 2 with 0
    manifest.loc[5, "pixels_sha256"] = pixels[10]  # 2 with 5
    found = groups(manifest).reset_index(drop=True)
    joined = manifest["patient"].isin(["toy/000000", "toy/000002", "toy/000005"])
    assert set(found[joined]) == {"toy/000000"}
    assert found[~joined].tolist() == manifest["patient"][~joined].tolist()


def test_near_pairs_join_patients_and_chain_with_equal_pixels():
    manifest = factories.manifest(12)
    manifest.loc[4, "pixels_sha256"] = manifest["pixels_sha256"][1]  # 2 with 0
    found = groups(manifest, cases.pairs(manifest, (5, 10), (11, 7))).tolist()  # 2 with 5, 5 with 3
    assert [found[i] for i in (0, 4, 6, 10)] == ["toy/000000"] * 4
    assert found[2] == "toy/000001" and found[8] == "toy/000004"


def test_split_by_image_joins_nothing():
    manifest = factories.manifest(12)
    manifest.loc[4, "pixels_sha256"] = manifest["pixels_sha256"][1]
    assert grouping.groups(grouping.by_image(manifest)).tolist() == manifest["image"].tolist()


def test_an_image_set_apart_is_a_group_alone_and_joins_nobody():
    manifest = factories.manifest(12)
    manifest.loc[4, "pixels_sha256"] = manifest["pixels_sha256"][1]
    links = grouping.by_patient(manifest)
    found = grouping.groups(links, apart_I=np.arange(12) == 4).tolist()
    assert found[4] == manifest["image"][4]
    assert found[5] == "toy/000002" and found[0] == "toy/000000"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(case=cases.tied(patients=12))
def test_groups_are_the_finest_that_keep_every_link_whatever_the_order(case):
    manifest, near = case
    found = groups(manifest, near)
    assert cases.crossing(manifest, near, found) == []
    pd.testing.assert_series_equal(groups(cases.shuffled(manifest), near).sort_index(), found)
    # finest: by hand, spread each image's name over its links until nothing changes
    smallest = manifest.set_index("image")["patient"].copy()
    for _ in range(len(manifest)):
        before = smallest.copy()
        for column in ("patient", "pixels_sha256"):
            smallest[:] = smallest.groupby(manifest[column].to_numpy()).transform("min")
        for one, other in zip(near["image_a"], near["image_b"], strict=True):
            smallest[one] = smallest[other] = min(smallest[one], smallest[other])
        if smallest.equals(before):
            break
    assert found.tolist() == smallest.tolist()


def test_unreadable_images_without_pixels_join_nothing():
    manifest = factories.manifest(12)
    manifest["pixels_sha256"] = ""
    assert groups(manifest).nunique() == 6


def test_an_image_without_patient_is_refused():
    manifest = factories.manifest(12)
    manifest.loc[3, "patient"] = ""
    words = r"1 images have no patient, first 'toy/images/000003.png'"
    with pytest.raises(ValueError, match=words):
        grouping.by_patient(manifest)


def test_a_pair_of_an_unknown_image_is_refused():
    manifest = factories.manifest(12)
    near = cases.pairs(manifest, (0, 5), (2, 3)).replace("toy/images/000003.png", "toy/gone.png")
    with pytest.raises(ValueError, match=r"1 near pairs .* 'toy/gone.png': run validate again"):
        grouping.by_patient(manifest, near)


def test_112_120_images_are_grouped_in_two_seconds():
    manifest = factories.manifest(112_120, images_per_patient=4)
    near = cases.pairs(manifest, *((i, i * 7 + 3) for i in range(1_000)))
    start = time.perf_counter()
    found = groups(manifest, near)
    assert time.perf_counter() - start < 2
    assert 26_500 < found.nunique() < 27_500
