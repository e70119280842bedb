"""compare: only the named models, best first, one clear error for a missing report."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr import artifacts
from stages import _gathering
from stages import compare as stage
from tests.report import cases


def write_predictions(name, *, spread=0.2):
    """What evaluate leaves beside the metrics of `_result`: ten images of five patients."""
    present = np.arange(10) % 2
    score = np.clip(0.5 + (present - 0.5) * spread + np.arange(10) / 100, 0, 1).astype(np.float32)
    table = {"image": [f"t/{i}.png" for i in range(10)], "patient": [f"p{i // 2}" for i in range(10)],
             "source": "here", "fold": 0, "label:a": present * 1.0, "label:b": 1.0 - present,
             "score:a": score, "score:b": 1 - score}  # fmt: skip
    path = Path("reports/evaluate") / name / "plots/predictions.csv"
    artifacts.write_csv(path, pd.DataFrame(table))


def _value(value):
    return {"value": value, "low": None if value is None else value - 0.1, "high": value}


def _result(auroc, accuracy=0.7):
    label = {"support": 5, "precision": 0.5, "recall": 0.5, "f1": 0.5, "auroc": _value(0.8)}
    return {
        "accuracy": _value(accuracy), "balanced_accuracy": _value(0.7), "macro_f1": _value(0.6),
        "auroc": _value(auroc), "parameters": 1000, "macs": 5000, "weights_bytes": 4100,
        "chance": {"accuracy": 0.5, "auroc": 0.5}, "labels": ["a", "b"],
        "per_label": {"a": label, "b": label},
        "backbone": "resnet10t", "loss": "cross_entropy", "images": 10, "patients": 5, "folds": 1,
        "confidence": 0.95, "confusion": [[5, 0], [0, 5]], "thresholds": None,
        "calibration": {"ece": 0.1, "bins": 15, "brier": 0.2},
        "bootstrap": {"samples": 10, "left_out": {}},
    }  # fmt: skip


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, auroc in (("one", 0.8), ("two", 0.9), ("gone", 0.99)):
        artifacts.write_json(Path("reports/evaluate") / name / "metrics.json", _result(auroc))
        write_predictions(name)
    artifacts.write_text(
        Path("params.yaml"),
        "study: toy\nseed: 1\nmodels: [one, two]\ncompare: {sort_by: auroc}\n",
    )
    return tmp_path


def test_only_the_named_models_are_compared_and_the_best_stands_first(workspace):
    line = stage.main()
    assert line == "2 model(s), best two: auroc 0.900"
    table = artifacts.read_csv(workspace / "reports/compare/plots/table.csv")
    assert table["model"].tolist() == ["two", "one"]
    metrics = json.loads((workspace / "reports/compare/metrics.json").read_text())
    assert metrics["one"] == {
        "accuracy": 0.7, "auroc": 0.8, "macro_f1": 0.6, "macs": 5000, "parameters": 1000,
    }  # fmt: skip
    page = (workspace / "reports/index.html").read_text()
    assert "two" in page and "gone" not in page


def test_each_pair_of_models_is_compared_the_better_one_first(workspace):
    write_predictions("one", spread=-0.05)
    stage.main()
    table = artifacts.read_csv(workspace / "reports/compare/plots/differences.csv")
    assert set(zip(table["first"], table["second"], strict=True)) == {("two", "one")}
    assert table["metric"].tolist() == ["accuracy", "macro_f1", "auroc", "auroc", "auroc"]
    assert table["difference"].min() > 0.3


def test_a_study_of_one_model_has_nothing_to_compare(workspace):
    artifacts.write_text(
        Path("params.yaml"), "study: toy\nseed: 1\nmodels: [two]\ncompare: {sort_by: auroc}\n"
    )
    assert stage.main().startswith("1 model(s), best two")
    assert not (workspace / "reports/compare/plots/differences.csv").exists()


def test_the_same_bytes_twice_without_clock_host_or_path(workspace):
    def outputs():
        stage.main()
        files = [workspace / "reports/index.html", *(workspace / "reports/compare").rglob("*.*")]
        return {path: path.read_bytes() for path in files}

    first = outputs()
    assert first == outputs()
    assert str(workspace).encode() not in b"".join(first.values())


def test_control_and_warnings_of_the_split_are_read_and_said(workspace, capsys):
    artifacts.write_json(
        Path("reports/validate/summary.json"),
        {"findings": [], "images": 1, "patients": 1, "control": cases.control()},
    )
    part = {"images": 10, "groups": 5, "labels": {"a": 4}}
    artifacts.write_json(
        Path("reports/split/metrics.json"),
        {"protocol": "by_image", "warnings": ["split by image: 3 patients cross"],
         "folds": {"fold_0": {"train": part, "test": part}}},
    )  # fmt: skip
    line = stage.main()
    assert line.endswith("auroc 0.900; borders and file statistics alone: auroc 0.836")
    said = capsys.readouterr()
    assert "Warning: split by image: 3 patients cross." in said.out + said.err
    text = cases.Reader((workspace / "reports/index.html").read_text()).text
    assert "Warning: split by image: 3 patients cross." in text
    assert "control: borders and file statistics alone – – 0.836" in text


def test_a_missing_report_is_named_with_its_cure(workspace):
    with pytest.raises(ValueError, match="no report of three; run `dvc repro evaluate`, or take"):
        stage.read_results(["one", "three"], Path("reports/evaluate"))
    with pytest.raises(ValueError, match=r"models is empty"):
        stage.read_results([], Path("reports/evaluate"))


def test_equal_models_stand_by_name_and_undefined_ones_last():
    results = {"b": _result(0.8), "a": _result(0.8), "c": _result(None), "d": _result(0.9)}
    assert stage.compare(results, sort_by="auroc", parents={})["model"].tolist() == [
        "d",
        "a",
        "b",
        "c",
    ]


def test_the_table_holds_the_difference_to_the_parent():
    results = {"net": _result(0.9), "net-cut": _result(0.85, accuracy=0.65), "c": _result(None)}
    parents = {"net-cut": "net", "c": "gone"}
    table = stage.compare(results, sort_by="auroc", parents=parents).set_index("model")
    assert table.loc["net-cut", ["auroc_to_parent", "accuracy_to_parent", "parent"]].tolist() == [
        -0.05, -0.05, "net",
    ]  # fmt: skip
    assert table.loc[["net", "c"], "auroc_to_parent"].isna().all()


def test_models_are_sorted_by_the_chosen_metric():
    results = {"a": _result(0.9, accuracy=0.5), "b": _result(0.8, accuracy=0.6)}
    assert stage.compare(results, sort_by="accuracy", parents={})["model"].tolist() == ["b", "a"]


@pytest.fixture
def method(workspace):
    """A study with a search, a pruned model and an export, beside reports that no list names."""
    reports = Path("reports")
    for name, auroc in (("net", 0.9), ("net-pruned_50", 0.88), ("net-uniform_50", 0.86)):
        artifacts.write_json(reports / "evaluate" / name / "metrics.json", _result(auroc))
        write_predictions(name)
    for name in ("small", "stale"):
        found = cases.search(name=name)
        folder = reports / "search" / name
        artifacts.write_json(folder / "metrics.json", found.metrics)
        for key in ("candidates", "finalists"):
            artifacts.write_csv(folder / f"plots/{key}.csv", pd.DataFrame(getattr(found, key)))
        artifacts.write_bytes(folder / "plots/front.png", cases.png())
    for name in ("net", "rest"):
        cut = cases.pruning(name=name)
        folder = reports / "prune" / name
        artifacts.write_json(folder / "metrics.json", cut.metrics)
        for key in ("candidates", "channels", "contest"):
            artifacts.write_csv(folder / f"plots/{key}.csv", pd.DataFrame(getattr(cut, key)))
        artifacts.write_bytes(folder / "plots/channels.png", cases.png())
        for one in cut.finished:
            folder = reports / "finish" / one.name
            artifacts.write_json(folder / "metrics.json", one.metrics)
            artifacts.write_csv(folder / "plots/history.csv", pd.DataFrame(one.history))
            artifacts.write_bytes(folder / "plots/history.png", cases.png())
    for name in ("net-pruned_50", "gone"):
        export = {"onnx_bytes": 1234, "opset": 18, "folds": 1, "agrees": True}
        artifacts.write_json(reports / "export" / name / "metrics.json", export)
    artifacts.write_text(
        Path("params.yaml"),
        "study: toy\nseed: 1\nmodels: [net, net-pruned_50, net-uniform_50]\n"
        "search: {runs: [small]}\ntransfer: {runs: [net], recipes: {net: {weights: null, epochs: 1}}}\n"
        "prune: {runs: [net]}\nfinish: {cuts: [pruned_50, uniform_50], recipes: {net: {epochs: 8}}}\n"
        "export: {models: [net-pruned_50]}\n"
        "compare: {sort_by: auroc}\n",
    )
    return workspace


def test_search_pruning_and_export_are_shown_where_the_parameters_name_them(method):
    stage.main()
    page = cases.Reader((method / "reports/index.html").read_text())
    sections = [attrs["id"] for attrs in page.all("section")]
    assert sections[:5] == ["results", "differences", "search", "pruning", "models"]
    assert "stale" not in page.text and "rest Evolution" not in page.text
    assert page.text.count("Exported to ONNX") == 1
    assert "net pruned to 49 % of its MACs by evolution, which won the contest" in page.text
    assert "Fine-tuning of net-uniform_50" in page.text and "net-pruned_30" not in page.text
    assert len(page.all("img")) == 5
    table = artifacts.read_csv(method / "reports/compare/plots/table.csv").set_index("model")
    assert table["parent"].dropna().to_dict() == {"net-pruned_50": "net", "net-uniform_50": "net"}


def test_an_empty_cell_is_unknown_and_a_missing_report_left_out(method):
    (found,) = _gathering.read_searches(["small", "never_made"], Path("reports"))
    assert found.candidates[0]["auroc"] == pytest.approx(0.8)
    assert found.candidates[6]["loss"] is None
    assert found.finalists[0]["search_val_auroc"] == pytest.approx(0.9)
    assert list(found.figures) == ["front"]
    assert _gathering.read_prunings(["never_made"], ["pruned_50"], Path("reports")) == []
    (found,) = _gathering.read_prunings(["net"], ["taylor_50", "pruned_50"], Path("reports"))
    assert [one.name for one in found.finished] == ["net-pruned_50"]
    assert found.finished[0].history[0]["val_auroc"] == pytest.approx(0.88)
