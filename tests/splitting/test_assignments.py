"""assignments: old images stay, new ones follow or are drawn alone, and what would leak is left out."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.splitting import assignments
from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SIDES


def among(manifest: pd.DataFrame, images: pd.Index | pd.Series) -> pd.DataFrame:
    return manifest[manifest["image"].isin(images)].reset_index(drop=True)


def near_among(near: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    return near[near["image_a"].isin(manifest["image"]) & near["image_b"].isin(manifest["image"])]


def stays(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    """Tell whether each image that had a part has it still, in each fold."""
    one, other = cases.tested(before), cases.tested(after).reindex(before["image"])
    return bool(((one == other) | (one == "excluded")).all(axis=None))


def small(n: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a manifest of patients with two images, and parts made by hand: train, val, test in turn."""
    manifest = factories.manifest(n)
    parts = [["train", "val", "test"][i // 2 % 3] for i in range(n)]
    return manifest, pd.DataFrame({"image": manifest["image"], "fold_0": parts})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    case=cases.tied(),
    chosen=st.lists(st.booleans(), min_size=160, max_size=160),
    frozen=st.sampled_from([[], ["test"], ["val", "test"]]),
    folds=st.sampled_from([1, 3]),
)
def test_old_never_moves_nothing_crosses_and_nothing_enters_what_is_frozen(
    case, chosen, frozen, folds
):
    manifest, near = case
    before = among(manifest, manifest["image"][np.array(chosen[: len(manifest)])])
    try:
        old, _ = cases.split(before, near_pairs=near_among(near, before), folds=folds)
    except ValueError:  # hypothesis may leave too few images for all parts
        return
    options = {"near_pairs": near, "folds": folds, "old": old, "frozen": frozen}
    after, left_out = cases.split(manifest, **options)
    assert stays(old, after)
    for fold, part_I in cases.tested(after).items():
        assert cases.crossing(manifest, near, part_I) == []
        assert set(left_out["image"][left_out["fold"] == fold]) == set(
            part_I.index[part_I == "excluded"]
        )
        is_new = ~part_I.index.isin(before["image"])
        assert not part_I[is_new].isin(frozen).any()
        of_group = after.loc[(after[fold] != "excluded").to_numpy()].groupby("group")[fold]
        assert (of_group.nunique() == 1).all()
    again, _ = cases.split(cases.shuffled(manifest), **(options | {"old": old.iloc[::-1]}))
    pd.testing.assert_frame_equal(again, after)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(case=cases.tied(), folds=st.sampled_from([1, 3]))
def test_a_division_taken_up_with_the_same_images_is_the_same(case, folds):
    manifest, near = case
    old, _ = cases.split(manifest, near_pairs=near, folds=folds)
    again, left_out = cases.split(manifest, near_pairs=near, folds=folds, old=old, frozen=["test"])
    pd.testing.assert_frame_equal(again, old)
    assert len(left_out) == 0


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    turn=st.lists(st.integers(0, 2), min_size=60, max_size=60),
    folds=st.sampled_from([1, 3]),
    frozen=st.sampled_from([[], ["test"]]),
)
def test_new_groups_in_two_steps_stand_where_they_stand_in_one(turn, folds, frozen):
    manifest = factories.manifest(180, images_per_patient=3)
    step = np.repeat([*turn[:40], *[0] * 20], 3)  # the last twenty patients are always old
    first, second = manifest[step == 0], manifest[step <= 1]
    options = {"folds": folds, "frozen": frozen}
    old, _ = cases.split(first.reset_index(drop=True), folds=folds)
    at_once, _ = cases.split(manifest, old=old, **options)
    between, _ = cases.split(second.reset_index(drop=True), old=old, **options)
    in_two, _ = cases.split(manifest, old=between, **options)
    pd.testing.assert_frame_equal(in_two, at_once)


def test_new_groups_get_the_shares_of_what_is_not_frozen_and_another_seed_others():
    manifest, old = small(9_000)
    old = old[:30]
    after, _ = cases.split(manifest, old=old, frozen=["test"])
    shares = after["fold_0"][30:].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"train": 0.8, "val": 0.2}, abs=0.02)
    other, _ = cases.split(manifest, old=old, frozen=["test"], seed=8)
    assert 0.2 < (other["fold_0"] != after["fold_0"])[30:].mean() < 0.45


def test_a_new_group_is_test_in_exactly_one_fold():
    manifest = factories.manifest(600)
    old, _ = cases.split(among(manifest, manifest["image"][:60]), folds=3)
    after, _ = cases.split(manifest, folds=3, old=old)
    tests = cases.tested(after).eq("test")
    assert (tests.sum(axis=1) == 1).all()
    assert tests.mean().tolist() == pytest.approx([1 / 3] * 3, abs=0.06)


def test_a_new_image_goes_with_its_patient_its_copy_or_its_near_duplicate():
    manifest, old = small()
    old = old.drop(index=[1, 6, 7, 12, 13])  # patient 0 keeps an image; 3 and 6 are new
    manifest.loc[6, "pixels_sha256"] = manifest["pixels_sha256"][3]  # of patient 1, in val
    near = cases.pairs(manifest, (12, 4))  # of patient 2, in test
    after, left_out = cases.split(manifest, old=old, near_pairs=near)
    assert after["fold_0"][[1, 6, 7, 12, 13]].tolist() == ["train", "val", "val", "test", "test"]
    assert len(left_out) == 0


def test_a_bridge_is_left_out_and_its_siblings_go_where_their_patient_is():
    manifest, old = small()
    old = old.drop(index=[1])
    manifest = pd.concat([manifest, manifest.iloc[[0, 0]].assign(
        image=["toy/images/x.png", "toy/images/y.png"], pixels_sha256=["x", "y"])], ignore_index=True)  # fmt: skip
    near = cases.pairs(manifest, (40, 4))  # x: patient 0, in train, but like one of 2, in test
    after, left_out = cases.split(manifest, old=old, near_pairs=near)
    part = after.set_index("image")["fold_0"]
    assert part[["toy/images/000001.png", "toy/images/y.png"]].tolist() == ["train", "train"]
    assert part["toy/images/000004.png"] == "test"
    assert left_out[["image", "fold", "why"]].to_numpy().tolist() == [
        ["toy/images/x.png", "fold_0", "links test and train"]
    ]
    group = after.set_index("image")["group"]
    assert group["toy/images/x.png"] == "toy/images/x.png"
    assert group["toy/images/000004.png"] != group["toy/images/000000.png"]


def test_a_chain_of_new_images_between_two_parts_is_left_out_as_a_whole():
    manifest, old = small()
    old = old.drop(index=[6, 7])  # patient 3 is new: one image like train's, the other like test's
    near = cases.pairs(manifest, (6, 0), (7, 4))
    after, left_out = cases.split(manifest, old=old, near_pairs=near)
    assert left_out["image"].tolist() == manifest["image"][[6, 7]].tolist()
    assert set(left_out["why"]) == {"links test and train"}
    assert stays(old, after)


def test_nothing_enters_a_frozen_part_and_the_report_says_what_would_have():
    manifest, old = small()
    old = old.drop(index=[5, 38, 39])  # an image of patient 2, in test; all of patient 19
    manifest.loc[38:, "given_split"] = "test"
    _, left_out = cases.split(manifest, old=old, frozen=["test"])
    assert left_out[["image", "why"]].to_numpy().tolist() == [
        ["toy/images/000005.png", "its group stands in test, which is frozen"],
        ["toy/images/000038.png", "marked test, which is frozen"],
        ["toy/images/000039.png", "marked test, which is frozen"],
    ]
    thawed, left_out = cases.split(manifest, old=old)
    assert thawed["fold_0"][[38, 39]].tolist() == ["test", "test"]
    assert left_out["why"].tolist() == ["without a mark, but its group stands in test"]
    mixed, left_out = cases.split(manifest, old=old, respect_given=False)
    assert mixed["fold_0"][5] == "test" and len(left_out) == 0


def test_a_new_image_that_its_list_marks_otherwise_is_left_out():
    manifest, old = small()
    old = old.drop(index=[1, 5])
    manifest["given_split"] = "train"
    manifest.loc[[1, 39], "given_split"] = "test"  # 1: its patient is in train
    after, left_out = cases.split(manifest, old=old)
    assert left_out[["image", "why"]].to_numpy().tolist() == [
        ["toy/images/000001.png", "marked test, but its group stands in train"],
        ["toy/images/000005.png", "marked train, but its group stands in test"],
    ]
    assert stays(old, after)


def test_unusable_images_are_excluded_and_say_nothing_of_leaks():
    manifest, old = small()
    manifest.loc[[0, 9], "fault"] = "is damaged"
    after, left_out = cases.split(manifest, old=old.drop(index=[8, 9]))
    assert after.index[after["fold_0"] == "excluded"].tolist() == [0, 9] and len(left_out) == 0
    assert after["fold_0"][1] == "train"


def test_what_was_excluded_before_counts_as_new():
    manifest, old = small()
    old.loc[:1, "fold_0"] = "excluded"
    old.loc[2, "fold_0"] = "excluded"
    after, _ = cases.split(manifest, old=old)
    assert after["fold_0"][:2].nunique() == 1 and after["fold_0"][0] in SIDES
    assert after["fold_0"][2] == "val"


def test_no_open_part_is_refused():
    manifest, old = small()
    manifest["given_split"] = ["val"] * 20 + ["train"] * 20
    with pytest.raises(ValueError, match=r"no part is open to the new group 'toy/000018'"):
        cases.split(manifest, old=old[:36], frozen=["train", "test"])


@pytest.mark.parametrize(
    ("text", "folds", "words"),
    [
        ("image,fold_0\na,train\n", 2, r"s\.csv must have the columns image, fold_0, fold_1 .* 2"),
        ("image,fold_0,fold_1\na,train,test\n", 1, r"for split.folds: 1, not image, fold_0, f"),
        ("name,fold_0\na,train\n", 1, "must have the columns image, fold_0"),
        ("image,fold_0\na,train\na,test\n", 1, "1 images stand twice, first 'a'"),
        ("image,fold_0\na,train\nb,dev\n", 1, "fold_0 puts 1 images into 'dev', first 'b': parts"),
        ("image,fold_0\na,\n", 1, "fold_0 puts 1 images into '', first 'a'"),
        ("image,fold_0\na,search_val\n", 1, "with a share in split.fractions are train, val, test"),
        ('image,fold_0\na,"train\n', 1, r"s\.csv is no CSV file: "),
        ("", 1, r"s\.csv is no CSV file: "),
    ],
)
def test_a_file_of_another_form_is_refused(text, folds, words):
    content = text.encode()
    sha256 = hashlib.sha256(content).hexdigest()
    with pytest.raises(ValueError, match=words):
        assignments.parse(
            content, sha256=sha256, folds=folds, held_out=False, shares=SIDES, where="s.csv"
        )


def test_a_changed_file_is_refused_and_the_right_one_read():
    content = b"image,group,fold_0\n001,g,train\nNA,h,excluded\n"
    sha256 = hashlib.sha256(content).hexdigest()
    table = assignments.parse(
        content, sha256=sha256, folds=1, held_out=False, shares=SIDES, where="s.csv"
    )
    assert table["image"].tolist() == ["001", "NA"]
    with pytest.raises(ValueError, match=rf"s.csv has sha256 \w+, split.assignments says {sha256}"):
        assignments.parse(
            content + b"\n", sha256=sha256, folds=1, held_out=False, shares=SIDES, where="s.csv"
        )
