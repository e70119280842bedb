"""The report's tables and numbers: each row from the candidate or the cut it is about."""

import dataclasses

import numpy as np
import pytest

from cxr import numerics
from cxr.pruning import tables
from tests.pruning.outcomes import WHOLE, outcome, space

numerics.exact_torch()
CUTS = [
    "pruned",
    "evolved",
    "uniform",
    "global",
    "bn_scale",
    "taylor",
    "reconstruction",
    "random",
    "sensitivity",
]


@pytest.fixture(scope="module")
def four():
    """Two folds at two shares each."""
    return [
        outcome(fold=fold, share=share, shift=fold / 16) for fold in (0, 1) for share in (0.5, 0.3)
    ]


def test_candidates(four):
    table = tables.candidates(four)
    assert list(table) == ["fold", "share", "generation", "rung", "auroc", "loss", "distance", "macs", "parameters", "front", "picked", "origin"]  # fmt: skip
    assert table["fold"].tolist() == [0] * 8 + [1] * 8
    assert table["share"].tolist() == ([50] * 4 + [30] * 4) * 2
    first = table[:4]
    assert first["origin"].tolist() == ["uniform", "random", "child", "child"]
    assert first["auroc"].tolist() == [0.5, 0.75, 0.625, 0.875]
    assert first["loss"].tolist() == [0.5, 0.25, 0.375, 0.125]
    assert first["distance"].tolist() == [0.25, 0.125, 0.1875, 0.0625]
    assert first["macs"].tolist() == [x.objectives[1] for x in four[0].evaluated]
    assert first["parameters"].tolist() == (first["macs"] // 10).tolist()
    assert first["picked"].tolist() == [0, 0, 0, 1]
    for row in first.itertuples():
        others = first[first["macs"] <= row.macs]
        assert row.front == int(others["auroc"].max() == row.auroc)


def test_after_a_short_training_a_candidate_has_a_row_of_its_own():
    table = tables.candidates([outcome(survivors=True)])
    assert table["rung"].tolist() == [0, 0, 1, 0, 0, 1]
    assert table["auroc"].tolist() == [0.5, 0.75, 0.8125, 0.625, 0.875, 0.9375]
    assert table["macs"][2] == table["macs"][1] and table["macs"][5] == table["macs"][4] > 0
    assert table["picked"].tolist() == [0, 0, 0, 0, 0, 1]
    assert table["front"][[0, 1, 3, 4]].sum() == 0 and table["front"][5] == 1


def test_a_candidate_whose_scores_are_no_numbers_has_empty_cells():
    one = outcome()
    lost = {"auroc": 0.0, "loss": None, "distance": None}
    found = {key: {**said, **lost} for key, said in one.found.items()}
    table = tables.candidates([dataclasses.replace(one, found=found)])
    assert table["loss"].isna().all() and table["distance"].isna().all()
    assert table["loss"].dtype == np.float64


def test_channels_of_all_groups(four):
    table = tables.channels(four)
    assert list(table) == ["fold", "group", "parent", "pruned_50", "evolved_50", "uniform_50", "pruned_30", "evolved_30", "uniform_30"]  # fmt: skip
    assert len(table) == 2 * len(space().groups)
    rows = table[table["fold"] == 1].set_index("group")
    for one, share in zip(four[2:], (50, 30), strict=True):
        code = one.space.encoding
        names = [group.name for group in code.groups]
        for method in ("evolved", "uniform"):
            (entry, *_) = (x.entry for x in one.entrants if x.entry.method == method)
            assert rows.loc[names, f"{method}_{share}"].tolist() == entry.encoding.counts(entry.genome)  # fmt: skip
        (taylor,) = (x.entry for x in one.entrants if x.entry.method == "taylor")
        assert rows.loc[names, f"pruned_{share}"].tolist() == taylor.encoding.counts(taylor.genome)
    assert rows["parent"].tolist() == [group.channels for group in space().groups]


def test_contests(four):
    table = tables.contests(four)
    assert list(table) == ["fold", "share", "method", "number", "macs", "auroc", "loss", "contest_auroc", "contest_loss", "chosen"]  # fmt: skip
    first = table[:9]
    assert first["method"].tolist() == ["evolved", "evolved", *CUTS[2:]]
    assert first["number"].tolist() == [1, 2, *[1] * 7]
    assert first["auroc"].tolist() == [
        0.875,
        0.75,
        0.5,
        0.625,
        0.75,
        0.8125,
        0.84375,
        0.5625,
        0.6875,
    ]
    taylor = first[first["chosen"] == 1].iloc[0]
    assert (taylor["method"], taylor["contest_auroc"], taylor["contest_loss"]) == ("taylor", 0.90625, 0.09375)  # fmt: skip
    assert table["chosen"].sum() == 4
    assert table["macs"].tolist() == [x.network.macs for one in four for x in one.entrants]


def test_a_training_that_diverged_has_an_empty_cell():
    one = outcome()
    lost = [dataclasses.replace(x, after={**x.after, "loss": None}) for x in one.entrants]
    table = tables.contests([dataclasses.replace(one, entrants=lost)])
    assert table["contest_loss"].isna().all() and table["contest_loss"].dtype == np.float64


def test_metrics_of_each_fold_and_their_means(four):
    other = {**WHOLE, "auroc": 0.95, "macs": 2000}
    found = tables.metrics([WHOLE, other], four, evaluations=99)
    assert found["parent"] == {"macs": 2000, "parameters": 100, "auroc": pytest.approx(0.925), "loss": 0.25}  # fmt: skip
    assert found["shares"] == [50, 30] and found["evaluations"] == 99
    assert found["folds"][1]["parent"] == {"macs": 2000, "parameters": 100, "auroc": 0.95, "loss": 0.25}  # fmt: skip
    cuts = found["folds"][1]["cuts"]
    assert list(cuts) == [f"{cut}_{share}" for share in (50, 30) for cut in CUTS]
    (evolved, *_) = four[2].entrants
    assert cuts["evolved_50"] == {
        "macs": evolved.network.macs, "parameters": evolved.network.macs // 10,
        "auroc": 0.9375, "loss": 0.0625, "worst_label": "a", "worst_loss": 0.125,
        "contest_auroc": 0.9375, "contest_loss": 0.0625,
    }  # fmt: skip
    assert cuts["pruned_50"] == {**cuts["taylor_50"], "origin": "taylor"}
    assert found["pruned_auroc_50"] == (0.90625 + 0.96875) / 2
    assert found["evolved_auroc_30"] == (0.875 + 0.9375) / 2


def test_a_method_that_can_not_be_made_in_a_fold_is_not_among_its_cuts():
    one = outcome()
    lacking = [x for x in one.entrants if x.entry.method != "bn_scale"]
    found = tables.metrics([WHOLE], [dataclasses.replace(one, entrants=lacking)], evaluations=1)
    assert "bn_scale_50" not in found["folds"][0]["cuts"]
