"""rotation: test is the same in all folds, every other image is val once, and an earlier one goes on."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.splitting import assignments, rotation
from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SHARES

FIXED = ["test", "search_val", "calibration", "excluded"]
SIDES = {"train": 0.6, "val": 0.15, "test": 0.25}


def turned(manifest: pd.DataFrame, folds: int = 5, **options) -> pd.DataFrame:
    """Return the parts by image, a column per fold."""
    options = {"shares": SHARES, "folds": folds, "held_out": True} | options
    return cases.tested(cases.split(manifest, **options)[0])


def check_turns(parts: pd.DataFrame) -> None:
    """Every image is val in one fold and train in the others, or the same in all."""
    fixed = parts.isin(FIXED).all(axis=1)
    assert (parts[fixed].nunique(axis=1) == 1).all()
    going = parts[~fixed]
    assert going.isin(["train", "val"]).all(axis=None)
    assert (going.eq("val").sum(axis=1) == 1).all()


def test_test_is_the_same_in_all_folds_and_each_other_image_is_val_once():
    parts = turned(factories.manifest(600, labels=("a", "b", "c")))
    check_turns(parts)
    assert (parts == "test").mean().tolist() == pytest.approx([0.2] * 5, abs=0.01)
    assert (parts == "val").mean().tolist() == pytest.approx([0.68 / 5] * 5, abs=0.005)
    assert set(np.unique(parts)) == set(SHARES)


def test_every_part_of_every_fold_has_its_share_of_every_label():
    manifest = factories.manifest(1_500, labels=("a", "b", "c"), multilabel=True, seed=4)
    manifest["label:c"] = (np.arange(1_500) // 2 % 25 == 0).astype(float)  # rare: 60 images
    parts = turned(manifest)
    for fold in parts:
        for part in ("train", "val", "test"):
            here = manifest[(parts[fold] == part).to_numpy()]
            for label in ("label:a", "label:b", "label:c"):
                wanted = manifest[label].sum() * len(here) / len(manifest)
                assert abs(here[label].sum() - wanted) <= 3, (
                    fold,
                    part,
                    label,
                )  # a patient has two


def test_what_is_held_out_is_what_one_fold_holds_out():
    """So one network and the mean of k are judged by the same images."""
    manifest = factories.manifest(400, multilabel=True)
    one = cases.tested(cases.split(manifest, SHARES)[0])["fold_0"]
    for folds in (2, 7):
        parts = turned(manifest, folds)
        for fold in parts:
            pd.testing.assert_series_equal(
                parts[fold].where(parts[fold].isin(FIXED), "free"),
                one.where(one.isin(FIXED), "free"),
                check_names=False,
            )


def test_a_data_set_s_own_test_stays_and_its_val_goes_round_with_train():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 250 + ["val"] * 50 + ["test"] * 100
    parts = turned(manifest, 3)
    check_turns(parts)
    assert ((parts == "test").sum(axis=1) == [0] * 300 + [3] * 100).all()
    assert (parts[250:300] == "val").any(axis=1).sum() == pytest.approx(50 * 0.68 / 0.8, abs=6)
    mixed = turned(manifest, 3, respect_given=False)
    assert 0 < (mixed[300:] == "test").all(axis=1).sum() < 100


def test_what_its_own_list_would_leak_is_left_out_of_every_fold():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["val"] * 301 + ["test"] * 99  # a patient on both sides
    parts, left_out = cases.split(manifest, SHARES, folds=2, held_out=True)
    assert left_out[["image", "fold", "why"]].to_numpy().tolist() == [
        ["toy/images/000300.png", fold, "marked val, but its group stands in test"]
        for fold in ("fold_0", "fold_1")
    ]
    check_turns(cases.tested(parts))


def test_by_image_each_image_goes_round_by_itself():
    manifest = factories.manifest(300, images_per_patient=3)
    parts = turned(manifest, 3, protocol="by_image")
    check_turns(parts)
    of_patient = parts["fold_0"].groupby(manifest["patient"].to_numpy()).nunique()
    assert (of_patient > 1).mean() > 0.5


@settings(max_examples=25, deadline=None, derandomize=True)
@given(case=cases.tied(), folds=st.integers(2, 4))
def test_nothing_crosses_in_any_fold_and_the_order_of_rows_is_nothing(case, folds):
    manifest, near = case
    manifest["given_split"] = [["train", "train", "val", "test"][i % 4] for i in manifest.index]
    options = {"folds": folds, "held_out": True}
    parts, left_out = cases.split(manifest, SIDES, near_pairs=near, **options)
    check_turns(cases.tested(parts))
    for fold, part_I in cases.tested(parts).items():
        assert cases.crossing(manifest, near, part_I) == []
        lost = left_out["image"][left_out["fold"] == fold]
        assert set(lost) == set(part_I.index[part_I == "excluded"])
    again, _ = cases.split(cases.shuffled(manifest), SIDES, near_pairs=near.iloc[::-1], **options)
    pd.testing.assert_frame_equal(again, parts)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    case=cases.tied(),
    chosen=st.lists(st.booleans(), min_size=160, max_size=160),
    frozen=st.sampled_from([[], ["test"], ["val"]]),
)
def test_an_earlier_rotation_goes_on_and_nothing_crosses(case, chosen, frozen):
    manifest, near = case
    before = manifest[np.array(chosen[: len(manifest)])].reset_index(drop=True)
    inside = near["image_a"].isin(before["image"]) & near["image_b"].isin(before["image"])
    options = {"folds": 3, "held_out": True}
    try:
        old, _ = cases.split(before, SIDES, near_pairs=near[inside], **options)
    except ValueError:  # hypothesis may leave too few images for all parts
        return
    after, left_out = cases.split(
        manifest, SIDES, near_pairs=near, old=old, frozen=frozen, **options
    )
    parts = cases.tested(after)
    check_turns(parts)
    was = cases.tested(old)
    stays = (parts.loc[was.index] == was) | (was == "excluded")
    assert stays.all(axis=None)
    is_new = ~parts.index.isin(before["image"])
    closed = ["train", "val"] if "val" in frozen else frozen
    assert not parts[is_new].isin(closed).any(axis=None)
    assert set(left_out["fold"]) in (set(), {"fold_0", "fold_1", "fold_2"})
    for _, part_I in parts.items():
        assert cases.crossing(manifest, near, part_I) == []


def test_new_groups_are_spread_over_the_pieces_and_a_bridge_names_them():
    manifest = factories.manifest(3_000)
    old, _ = cases.split(manifest[:300], SIDES, folds=3, held_out=True)
    parts = cases.tested(old)
    one, other = (parts.index[parts[f"fold_{i}"] == "val"][0] for i in (0, 2))
    place = {name: i for i, name in enumerate(manifest["image"])}
    near = cases.pairs(manifest, (2_999, place[one]), (2_999, place[other]))
    after, left_out = cases.split(manifest, SIDES, old=old, near_pairs=near, folds=3, held_out=True)
    new = cases.tested(after)[300:]
    check_turns(new)
    assert (new == "val").mean().tolist() == pytest.approx([0.25] * 3, abs=0.03)
    assert (new == "test").mean().tolist() == pytest.approx([0.25] * 3, abs=0.03)
    assert left_out[["image", "fold", "why"]].to_numpy().tolist() == [
        ["toy/images/002999.png", f"fold_{i}", "links val of fold_0 and val of fold_2"]
        for i in range(3)
    ]


def parse(text: str, *, held_out: bool) -> pd.DataFrame:
    content = text.encode()
    return assignments.parse(
        content, sha256=hashlib.sha256(content).hexdigest(), folds=2, held_out=held_out,
        shares=rotation.in_each_fold(SIDES, 2, held_out=True), where="s.csv",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "b,test,train",
            r"s\.csv: 1 images don't go round, first 'b', which is test, train: with spl",
        ),
        ("b,val,val", "which is val, val: .* set split.test: in_turn, or divide anew"),
        ("b,train,train", "which is train, train"),
        ("b,val,excluded", "which is val, excluded"),
    ],
)
def test_an_earlier_division_that_does_not_go_round_is_refused(row, words):
    text = f"image,fold_0,fold_1\na,train,val\n{row}\n"
    assert len(parse(text, held_out=False)) == 2  # as folds in turn it may pass
    with pytest.raises(ValueError, match=words):
        parse(text, held_out=True)


def test_an_earlier_rotation_is_refused_for_folds_in_turn():
    text = "image,fold_0,fold_1\na,train,val\nb,test,test\nc,excluded,excluded\n"
    column = rotation.fold_up(parse(text, held_out=True), 2, where="s.csv")
    assert column["fold_0"].tolist() == ["val of fold_1", "test", "excluded"]
    with pytest.raises(
        ValueError, match=r"s\.csv: 1 images are test in several folds, first 'b': set"
    ):
        parse(text, held_out=False)


def test_shares_are_those_of_the_pool():
    turning = rotation.in_each_fold(SHARES, 4, held_out=True)
    assert turning == pytest.approx(SHARES | {"train": 0.51, "val": 0.17})
    assert rotation.in_each_fold(SHARES, 4, held_out=False) == SHARES
    column = rotation.in_one_column(SHARES, 4)
    assert list(column) == [*rotation.pieces(4), "search_val", "calibration", "test"]
    assert sum(column.values()) == pytest.approx(1) and column["val of fold_3"] == pytest.approx(
        0.17
    )
    assert rotation.frozen_pieces(["test"], 2) == ["test"]
    assert rotation.frozen_pieces(["val", "test"], 2) == ["test", "val of fold_0", "val of fold_1"]
