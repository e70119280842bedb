"""make tune runs what val can judge and nothing that sees test, and says what val said, best first."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from flows import pipeline, tune
from tests.flows import judged, toy

KINDS = ("search", "transfer", "distill", "prune", "finish")
TRIED = ("search", "prune")  # where search_val speaks


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return judged.make(tmp_path / "with a space")


def test_everything_up_to_evaluate_is_run_and_the_best_on_val_stands_first(project):
    said = toy.python(project, "-m", "flows.tune")
    assert said.returncode == 0, said.stdout + said.stderr
    assert list(pipeline.read_lock(project)) == [
        "source",
        "split",
        "transfer@left",
        "transfer@right",
    ]
    assert [path.name for path in (project / "reports").iterdir()] == ["transfer"]
    lines = said.stdout.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("stage "))
    assert [line.split() for line in lines[head : head + 3]] == [
        list(tune.COLUMNS),
        ["transfer@right", "right", "-", "-", "0.5000", "0.5000", "2.5", "2", "1,200"],
        ["transfer@left", "left", "-", "-", "0.4000", "0.5000", "2.5", "2", "1,200"],
    ]
    assert lines[-1].startswith("no test image was scored")


def test_without_runs_nothing_is_run(project):
    """DVC without a target would run all there is."""
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("runs: [left, right]", "runs: []"))
    said = toy.python(project, "-m", "flows.tune")
    assert said.returncode == 1
    assert "error: no stage trains anything: name runs in params.yaml" in said.stderr
    assert not (project / "dvc.lock").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_that_is_tuned_needs_what_evaluate_writes(monkeypatch, tmp_path):
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path))
    spoken = tune.reports(pipeline.graph(toy.ROOT))
    assert {kind for kind, _, _ in spoken.values()} == set(KINDS)
    with contextlib.closing(Repo(str(toy.ROOT))) as repo:
        index = repo.index
        run = [stage for stage in index.stages if getattr(stage, "name", None) in spoken]
        needed, ahead = set(), [*run]
        while ahead:
            needed.add(stage := ahead.pop())
            ahead += set(index.graph.successors(stage)) - needed
        outs = sorted(out.def_path for stage in needed for out in stage.outs)
    assert len(run) == len(spoken)
    assert "data/prepared" in outs and "data/splits.csv" in outs
    assert not [x for x in outs if x.startswith(("reports/evaluate", "reports/compare"))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_committed_report_is_read(kind):
    paths = sorted((toy.ROOT / "reports" / kind).glob("*/metrics.json"))
    assert paths
    for path in paths:
        rows = list(tune.networks(kind, path.parent.name, json.loads(path.read_text())))
        assert rows
        for row in rows:
            assert set(row) <= set(tune.COLUMNS)
            judged_on = [x for x in ("search_val", "val") if f"{x}_auroc" in row]
            assert judged_on == ["search_val"] * (kind in TRIED) + ["val"] * (kind != "prune")
            assert all(0.0 <= row[f"{x}_auroc"] <= 1.0 for x in judged_on)
            assert kind == "prune" or 0.0 <= row["val_accuracy"] <= 1.0
            assert row["macs"] >= 1000 and row["folds"] >= 1
            assert row.get("search_val_auroc") != row.get("val_auroc")


def test_a_pruning_s_networks_are_named_as_models_and_cost_what_the_largest_fold_does():
    folds = [
        {"cuts": {"uniform_50": {"macs": macs, "auroc": 0.1, "contest_auroc": auroc}}}
        for macs, auroc in ((10, 0.7), (30, 0.8))
    ]
    folds[0]["cuts"]["bn_scale_50"] = {"macs": 10, "contest_auroc": 0.9}  # not of every fold
    assert list(tune.networks("prune", "a", {"folds": folds})) == [
        {"network": "a-uniform_50", "search_val_auroc": 0.75, "folds": 2, "macs": 30}
    ]


def test_a_finished_cut_has_the_name_of_its_model():
    metrics = {
        "val_auroc": 0.8, "val_accuracy": 0.6, "val_loss": 0.4, "macs": 30, "parameters": 5,
        "folds": [{"best_epoch": 2}, {"best_epoch": 3}],
    }  # fmt: skip
    assert list(tune.networks("finish", "a-pruned_50", metrics)) == [
        {"network": "a-pruned_50", "val_auroc": 0.8, "val_accuracy": 0.6, "best_epoch": 2.5,
         "folds": 2, "macs": 30}
    ]  # fmt: skip


def test_an_unknown_figure_stands_last_and_equal_ones_by_name():
    rows = [{"stage": "s", "network": name, "val_auroc": value}
            for name, value in (("d", None), ("c", 0.5), ("b", 0.5), ("a", 0.0), ("e", 0.9))]  # fmt: skip
    lines = tune.table(rows).splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["e", "b", "c", "a", "d"]
    assert len({len(line) for line in lines}) == 1
