"""Tables: every quantity once, DeLong beside the bootstrap, and who was left out of a group."""

from __future__ import annotations

import numpy as np

from cxr import artifacts
from cxr.metrics import subgroups, summary, tables
from cxr.metrics.measured import Measured
from tests.metrics import cases


def _found() -> Measured:
    attributes = subgroups.attributes(cases.people(120))
    points = {"youden": np.array([[0.3, 0.4, np.nan]] * 2)}
    return cases.measure(cases.scored(), attributes=attributes, points=points)


def test_results_hold_every_quantity_and_agree_with_the_metrics() -> None:
    found = _found()
    table, tree = tables.results(found), summary.tree(found)
    assert len(table) == len(found.quantities) + 3
    chosen = table.set_index(["label", "metric", "decision", "method"])
    assert not chosen.index.duplicated().any()
    for key, place in (("auroc", ("", "auroc", "", "patients")),
                       ("accuracy", ("", "accuracy", "highest_score", "patients"))):  # fmt: skip
        assert chosen.loc[place, ["value", "low", "high"]].to_dict() == tree[key]
    pair = chosen.loc[[("a", "auroc", "", "delong"), ("a", "auroc", "", "patients")]]
    assert pair["value"].nunique() == 1 and pair["low"].nunique() == 2
    assert chosen.loc[("c", "f1", "youden", "patients"), "left_out"] == 60


def test_groups_have_a_mean_and_their_labels_and_say_what_is_left_out() -> None:
    found = _found()
    table = tables.by_group(found)
    assert len(table) == len(found.groups) * 4
    women = table[(table["attribute"] == "sex") & (table["group"] == "F")].set_index("label")
    assert women.loc["", "images"] == 60 and women.loc["", "patients"] == 30
    judged = women.loc[["a", "b", "c"]]
    assert (judged["auroc_low"] <= judged["auroc"]).all()
    assert abs(judged["auroc"].mean() - women.loc["", "auroc"]) < 2e-6
    few = table[(table["label"] != "") & table["auroc"].isna()]
    assert 0 < len(few) < len(table)
    assert set(few["note"]) == {"left out: fewer than 10 patients with it or without it"}
    assert (few[["patients_with", "patients_without"]].min(axis=1) < 10).all()
    assert few["sensitivity"].isna().all()
    means = table[table["label"] == ""].set_index(["attribute", "group"])["note"]
    assert means["sex", "F"] == "" and means["age", "unknown"] == "1 of 3 labels judged"


def test_the_same_bytes_twice_and_whole_numbers_stay_whole(tmp_path) -> None:
    for name in ("first", "second"):
        found = _found()
        artifacts.write_csv(tmp_path / name / "results.csv", tables.results(found))
        artifacts.write_csv(tmp_path / name / "subgroups.csv", tables.by_group(found))
    for table in ("results.csv", "subgroups.csv"):
        first = (tmp_path / "first" / table).read_bytes()
        assert first == (tmp_path / "second" / table).read_bytes()
    assert b"sex,F,a,60,30,2" in first  # patients with it: two digits, no point


def test_without_groups_the_table_is_its_head() -> None:
    assert tables.by_group(cases.measure(cases.scored())).empty
