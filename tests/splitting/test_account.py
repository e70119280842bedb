"""account: every image counted once, and what crosses found however the parts were made."""

from typing import Any

import pandas as pd
import pytest

from cxr.splitting import account
from tests import factories
from tests.splitting import cases
from tests.splitting.cases import SIDES


def measure(manifest: pd.DataFrame, near: pd.DataFrame, **options: Any) -> dict[str, Any]:
    parts, left_out = cases.split(manifest, near_pairs=near, **options)
    protocol = options.get("protocol", "by_patient")
    return account.measure(manifest, parts, near, left_out, options.get("old"), shares=SIDES,
                           protocol=protocol, frozen=options.get("frozen", []))  # fmt: skip


def test_every_image_is_counted_once():
    manifest = factories.manifest(200)
    manifest.loc[0, "fault"] = "is damaged"
    metrics = measure(manifest, cases.pairs(manifest), folds=2)
    assert metrics["groups"] == 100 and metrics["largest_group"] == 2
    for parts in metrics["folds"].values():
        assert list(parts) == [*SIDES, "excluded"]
        assert sum(part["images"] for part in parts.values()) == metrics["images"] == 200
        assert sum(part["labels"]["normal"] for part in parts.values()) == 100
        assert parts["excluded"]["images"] == parts["excluded"]["labels"]["normal"] == 1
    assert metrics["assignments"] is None and metrics["warnings"] == []


def test_around_one_test_part_every_fold_has_the_same_held_out_counts_and_what_is_lost_is_lost_in_all():
    manifest = factories.manifest(200)
    manifest["given_split"] = ["val"] * 101 + ["test"] * 99  # a patient on both sides
    metrics = measure(manifest, cases.pairs(manifest), folds=4, held_out=True)
    assert [parts["test"]["images"] for parts in metrics["folds"].values()] == [99] * 4
    assert [parts["excluded"]["images"] for parts in metrics["folds"].values()] == [1] * 4
    assert sum(parts["val"]["images"] for parts in metrics["folds"].values()) == 100
    assert metrics["bridging"]["images"] == 1 and list(metrics["bridging"]["why"].values()) == [4]
    assert metrics["warnings"] == []


def test_near_duplicates_are_counted_and_where_they_are_kept_together_none_crosses():
    manifest = factories.manifest(200)
    near = cases.pairs(manifest, (0, 10), (0, 1), (20, 30))  # 0 and 1 are one patient already
    metrics = measure(manifest, near)
    assert metrics["near_duplicates"] == {"pairs": 3, "images": 5, "joins": 2}
    assert metrics["groups"] == 98 and metrics["largest_group"] == 4
    for crossing in metrics["crossing"].values():
        assert crossing == {"patients": 0, "duplicate_groups": 0}


def test_by_image_counts_what_crosses_and_warns():
    manifest = factories.manifest(200)
    near = cases.pairs(manifest, *((i, i + 100) for i in range(40)))
    metrics = measure(manifest, near, protocol="by_image")
    parts, _ = cases.split(manifest, protocol="by_image")
    part_I = parts.set_index("image")["fold_0"]
    found = cases.crossing(manifest, near, part_I)
    patients = sum(line.startswith("patient ") for line in found)
    copies = sum(line.startswith("pair ") for line in found)
    assert patients > 30 and copies > 10
    assert metrics["crossing"]["fold_0"] == {"patients": patients, "duplicate_groups": copies}
    assert metrics["warnings"] == [
        "split by image: images of one patient stand on both sides; "
        f"{patients} patients and {copies} duplicate groups cross"
    ]


def test_near_duplicates_left_apart_are_warned_of():
    manifest = factories.manifest(200)
    near = cases.pairs(manifest, *((i, i + 100) for i in range(0, 80, 2)))
    parts, left_out = cases.split(manifest)
    metrics = account.measure(manifest, parts, near, left_out, None, shares=SIDES,
                              protocol="by_patient", frozen=[])  # fmt: skip
    copies = len(cases.crossing(manifest, near, parts.set_index("image")["fold_0"]))
    words = f"the parts are not independent: 0 patients and {copies} duplicate groups cross"
    assert copies > 5 and metrics["warnings"] == [words]


def test_excluded_images_are_on_no_side():
    table = factories.manifest(4).assign(fold_0=["train", "excluded", "test", "train"])
    found = account.crossing(table, cases.pairs(table, (0, 1), (1, 2)), "fold_0")
    assert found == {"patients": 1, "duplicate_groups": 0}


def test_a_group_larger_than_a_part_is_warned_of():
    manifest = factories.manifest(200)
    manifest.loc[:39, "patient"] = "toy/many"
    (warning,) = measure(manifest, cases.pairs(manifest))["warnings"]
    assert warning.startswith("the largest group has 40 of 200 images, more than the share of val")


def test_what_leaves_an_earlier_division_is_counted_and_of_a_frozen_part_warned_of():
    manifest = factories.manifest(200)
    old, _ = cases.split(manifest)
    tested = old.index[old["fold_0"] == "test"]
    gone = [tested[0], tested[1], old.index[old["fold_0"] == "train"][0]]
    rest = manifest.drop(index=gone).reset_index(drop=True)
    metrics = measure(rest, cases.pairs(rest), old=old[:-20], frozen=["test"])
    kept = len(old) - 20 - 3
    assert metrics["assignments"] == {"kept": kept, "gone": 3, "gone_from_frozen": 2, "new": 20}
    assert metrics["warnings"] == ["2 images of frozen parts are gone: results before had them"]


@pytest.mark.parametrize("folds", [1, 3])
def test_left_out_images_are_counted_by_reason(folds):
    manifest = factories.manifest(90)
    old, _ = cases.split(manifest[:80], folds=folds)
    near = cases.pairs(manifest, *((80 + i, i * 7) for i in range(10)), *((80 + i, i * 6 + 1) for i in range(10)))  # fmt: skip
    metrics = measure(manifest, near, folds=folds, old=old)
    lost = metrics["bridging"]
    assert 0 < lost["images"] <= 10
    assert all(why.startswith("links ") for why in lost["why"])
    excluded = [parts["excluded"]["images"] for parts in metrics["folds"].values()]
    assert sum(lost["why"].values()) == sum(excluded)
    for crossing in metrics["crossing"].values():
        assert crossing == {"patients": 0, "duplicate_groups": 0}
