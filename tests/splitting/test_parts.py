"""parts: one table whatever the order of rows, by_image as said, and no part silently empty."""

import pandas as pd
import pytest

from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SHARES, SIDES


def test_rows_are_sorted_and_their_order_decides_nothing():
    manifest = factories.manifest(300, multilabel=True)
    near = cases.pairs(manifest, (3, 40), (41, 200))
    parts, left_out = cases.split(manifest, SHARES, near_pairs=near)
    assert parts.columns.tolist() == ["image", "group", "fold_0"]
    assert parts["image"].tolist() == sorted(manifest["image"])
    assert left_out.columns.tolist() == ["image", "group", "fold", "why"] and len(left_out) == 0
    again, _ = cases.split(cases.shuffled(manifest), SHARES, near_pairs=near.iloc[::-1])
    pd.testing.assert_frame_equal(again, parts)


def test_by_image_places_each_image_by_itself_and_keeps_given_lists():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 301 + ["test"] * 99  # a patient on both sides
    parts, left_out = cases.split(manifest, SHARES, protocol="by_image")
    assert parts["group"].tolist() == manifest["image"].tolist() and len(left_out) == 0
    assert (parts["fold_0"] == "test").tolist() == [False] * 301 + [True] * 99
    assert cases.crossing(manifest, cases.pairs(manifest), parts.set_index("image")["fold_0"])


def test_the_reason_stands_beside_what_its_own_list_would_leak():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 301 + ["test"] * 99
    _, left_out = cases.split(manifest)
    assert left_out.to_dict("records") == [
        {
            "image": "toy/images/000300.png", "group": "toy/000150", "fold": "fold_0",
            "why": "marked train, but its group stands in test",
        }
    ]  # fmt: skip


def test_folds_with_given_parts_and_empty_parts_are_refused():
    manifest = factories.manifest(40)
    manifest.loc[:3, "given_split"] = "val"
    with pytest.raises(
        ValueError,
        match=r"split.folds is 4, but toy marks 4 images as test or v.*test: held_out, so",
    ):
        cases.split(manifest, folds=4)
    with pytest.raises(ValueError, match=r"fold_0: nothing in .*too few; set split\.fractions\."):
        cases.split(manifest[:6], SHARES)
    with pytest.raises(
        ValueError, match=r"fold_5: nothing in val: .* few; lower split\.folds or b"
    ):
        cases.split(manifest[:12], SIDES, folds=6, held_out=True)
