"""The report's tables and numbers: each row from the candidate it is about."""

import pytest

from cxr import numerics
from cxr.evolution.genes import Evaluated
from cxr.pruning import candidates, tables
from cxr.training import loop
from tests.pruning.parents import SIZE, network, small

numerics.exact_torch()


def outcome(*, shift: float = 0.0) -> tables.Outcome:
    """Two generations of made-up scores: the second child is the best one."""
    plan = candidates.plan(network(small()), criterion="l1_norm", share=0.5, size_px=SIZE)
    code = plan.encoding
    tried = [
        plan.cuts["uniform"][0],
        plan.cuts["global"][0],
        code.smallest,
        (0, 1, *code.smallest[2:]),
    ]
    scores = [0.5, 0.625, 0.75, 0.875]
    evaluated = [
        Evaluated(number // 2, 0, genome, (1 - score, float(code.macs(genome))))
        for number, (genome, score) in enumerate(zip(tried, scores, strict=True))
    ]
    results = {
        genome: {
            "auroc": score + shift,
            "loss": 1 - score,
            "macs": code.macs(genome),
            "parameters": 9,
        }
        for genome, score in [*zip(tried, scores, strict=True), (code.whole, 0.9)]
    }
    history = [
        loop.Epoch(epoch, 0.1, 1.0, 0.5, 0.8 + epoch / 10 + shift, 0.75) for epoch in range(2)
    ]
    return tables.Outcome(
        plan=plan, evaluated=evaluated, results=results,
        cuts={"pruned": tried[3], "uniform": tried[0], "global": tried[1]},
        fitted={"pruned": loop.Fitted({}, 1, history), "uniform": loop.Fitted({}, 0, history[:1])},
    )  # fmt: skip


@pytest.fixture(scope="module")
def two():
    return [outcome(), outcome(shift=0.0625)]


def test_candidates(two):
    table = tables.candidates(two)
    assert list(table) == ["fold", "generation", "auroc", "loss", "macs", "parameters", "front", "picked", "origin"]  # fmt: skip
    assert table["fold"].tolist() == [0] * 4 + [1] * 4
    first = table[table["fold"] == 0]
    assert first["origin"].tolist() == ["uniform", "global", "child", "child"]
    assert first["auroc"].tolist() == [0.5, 0.625, 0.75, 0.875]
    assert first["picked"].tolist() == [0, 0, 0, 1]
    assert first["front"].tolist() == [0, 0, 1, 1]


def test_channels_of_all_groups(two):
    table = tables.channels(two)
    assert list(table) == ["fold", "group", "parent", "pruned", "uniform"]
    rows = table[table["fold"] == 0].set_index("group")
    assert len(rows) == len(two[0].plan.groups)
    assert rows.loc["backbone.layer1.0.conv1"].tolist()[1:] == [8, 8, 8]  # it has no choice
    assert (
        rows.loc["backbone.conv1.0", "pruned"] == 8 and rows.loc["backbone.conv1.0", "parent"] == 12
    )
    assert rows.loc["backbone.conv1.3", "pruned"] == 16
    uniform = dict(zip([g.name for g in two[0].plan.encoding.groups], two[0].plan.encoding.counts(two[0].cuts["uniform"]), strict=True))  # fmt: skip
    assert {name: rows.loc[name, "uniform"] for name in uniform} == uniform


def test_history_marks_the_epoch_that_val_chose(two):
    table = tables.history(two)
    assert table["model"].tolist() == ["pruned", "pruned", "uniform"] * 2
    assert table["epoch"].tolist() == [0, 1, 0] * 2 and table["kept"].tolist() == [0, 1, 1] * 2
    assert table["fold"].tolist() == [0] * 3 + [1] * 3


def test_metrics_of_each_fold_and_their_means(two):
    found = tables.metrics(two)
    plan = two[0].plan.encoding
    assert found["parent"] == {
        "macs": plan.macs(plan.whole),
        "parameters": 9,
        "fitness_auroc": pytest.approx(0.93125),
    }
    assert found["folds"][1]["pruned"] == {
        "macs": plan.macs(two[1].cuts["pruned"]), "parameters": 9, "fitness_auroc": 0.9375,
        "val_auroc": pytest.approx(0.9625), "val_accuracy": 0.75,
    }  # fmt: skip
    for known in ("parent", "global"):
        assert set(found["folds"][0][known]) == {"macs", "parameters", "fitness_auroc"}
    assert found["folds"][1]["parent"]["macs"] > found["folds"][1]["pruned"]["macs"]
    assert found["macs_share"] == plan.macs(two[0].cuts["pruned"]) / plan.macs(plan.whole)
    assert found["fitness_auroc_pruned"] == pytest.approx(0.90625)
    assert found["fitness_auroc_global"] == pytest.approx(0.65625)
    assert found["val_auroc_uniform"] == pytest.approx(0.83125)
    assert "val_auroc_global" not in found
