"""holdout: a data set's own lists stay, what would leak from them is left out, folds test each once."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from cxr import seeding
from cxr.splitting import grouping, holdout
from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SHARES


def rng(seed: int = 1) -> np.random.Generator:
    return seeding.stream(seed, "test", "splitting")


def grouped(manifest: pd.DataFrame) -> pd.DataFrame:
    return manifest.assign(group=grouping.groups(grouping.by_patient(manifest)))


def divide(manifest: pd.DataFrame, *, given: tuple[str, ...] = holdout.GIVEN_PARTS) -> pd.Series:
    return holdout.divide(grouped(manifest), SHARES, rng=rng(), given=given)["part"]


def test_given_parts_stay_and_the_rest_is_shared_among_the_others():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 300 + ["test"] * 100
    parts = divide(manifest)
    assert (parts[300:] == "test").all() and not (parts[:300] == "test").any()
    assert (parts[:300] == "train").mean() == pytest.approx(0.56 / 0.8, abs=0.01)
    ignored = divide(manifest, given=())
    assert (ignored[:300] == "test").mean() == pytest.approx(0.2, abs=0.02)


def test_where_all_three_are_given_train_alone_gives_what_the_lists_lack():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 280 + ["val"] * 40 + ["test"] * 80
    parts = divide(manifest)
    assert parts[280:].tolist() == ["val"] * 40 + ["test"] * 80
    assert set(parts[:280]) == {"train", "search_val", "calibration"}
    assert (parts[:280] == "search_val").mean() == pytest.approx(0.08 / 0.68, abs=0.01)


def test_a_list_that_does_not_count_takes_nothing_and_keeps_no_one_out():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 280 + ["val"] * 41 + ["test"] * 79  # a patient crosses
    table = holdout.divide(grouped(manifest), SHARES, rng=rng(), given=("test",))
    assert (table["part"][321:] == "test").all() and set(table["part"][280:320]) == {
        "train", "search_val", "val", "calibration",
    }  # fmt: skip
    assert table["why"][table["why"] != ""].to_dict() == {
        320: "marked val, but its group stands in test"
    }


def test_the_rest_of_a_group_in_a_given_part_is_excluded_with_the_reason():
    manifest = factories.manifest(400)
    manifest["given_split"] = ["train"] * 201 + ["val"] * 98 + ["test"] * 101  # two patients cross
    manifest.loc[7, "pixels_sha256"] = manifest["pixels_sha256"][390]  # as PneumoniaMNIST has them
    manifest.loc[0, "given_split"] = ""
    manifest.loc[1, "pixels_sha256"] = manifest["pixels_sha256"][250]
    table = holdout.divide(grouped(manifest), SHARES, rng=rng(), given=holdout.GIVEN_PARTS)
    lost = table[table["part"] == holdout.EXCLUDED]
    assert lost["why"].to_dict() == {
        0: "without a mark, but its group stands in val",
        1: "marked train, but its group stands in val",
        6: "marked train, but its group stands in test",
        7: "marked train, but its group stands in test",
        200: "marked train, but its group stands in val",
        298: "marked val, but its group stands in test",
    }
    assert (table["why"][table["part"] != holdout.EXCLUDED] == "").all()
    assert table["part"][[201, 250, 299, 390]].tolist() == ["val", "val", "test", "test"]


def test_a_data_set_without_given_test_still_gives_to_test():
    manifest = factories.manifest(400)
    manifest["dataset"] = ["given"] * 200 + ["free"] * 200
    manifest.loc[:49, "given_split"] = "test"
    parts = divide(manifest)
    assert not (parts[50:200] == "test").any()
    assert (parts[200:] == "test").mean() == pytest.approx(0.2, abs=0.02)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(case=cases.tied())
def test_nothing_crosses_whatever_lists_are_given(case):
    manifest, near = case
    manifest["given_split"] = [["train", "train", "val", "test"][i % 4] for i in manifest.index]
    parts, left_out = cases.split(manifest, near_pairs=near)
    part_I = parts.set_index("image")["fold_0"]
    assert cases.crossing(manifest, near, part_I) == []
    assert set(left_out["image"]) == set(part_I.index[part_I == "excluded"])
    given = manifest.set_index("image")["given_split"].loc[part_I.index]
    assert (part_I[part_I.isin(["val", "test"])] == given[part_I.isin(["val", "test"])]).all()


def test_each_image_is_test_in_exactly_one_fold():
    manifest = grouped(factories.manifest(300, labels=("a", "b", "c")))
    tables = holdout.folds(manifest, SHARES, rngs=[rng(i) for i in range(5)], rng=rng())
    tested = pd.concat([table["part"] for table in tables], axis=1).eq("test")
    assert (tested.sum(axis=1) == 1).all()
    assert tested.mean().tolist() == pytest.approx([0.2] * 5, abs=0.01)
    assert (tables[0]["part"] == "train").mean() == pytest.approx(0.56, abs=0.01)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(case=cases.tied())
def test_nothing_crosses_in_any_fold_and_the_order_of_rows_is_nothing(case):
    manifest, near = case
    parts, left_out = cases.split(manifest, near_pairs=near, folds=3)
    for _, part_I in cases.tested(parts).items():
        assert cases.crossing(manifest, near, part_I) == []
    assert len(left_out) == 0
    again, _ = cases.split(cases.shuffled(manifest), near_pairs=near.iloc[::-1], folds=3)
    pd.testing.assert_frame_equal(again, parts)
