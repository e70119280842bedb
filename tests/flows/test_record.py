"""A record is refused unless it would be true, holds numbers and hashes only, and can be verified."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from flows import openings, record
from tests.flows import toy


def say(root, *arguments):
    return toy.python(root, "-m", "flows.record", *arguments)


def open_test_set(root, **changes):
    """Write the line that `make final` leaves of the results at hand (tests/flows/test_final.py)."""
    found = openings.results(root)
    line = dict.fromkeys(openings.COLUMNS, "") | {"study": "toy"}
    line |= {"models": " ".join(found), "results": " ".join(found.values())} | changes
    openings.append(line, root / openings.TABLE)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("stages/fit.py", toy.FIT + "# more\n", "first stages/fit.py: commit them first"),
        (
            "params.yaml",
            "study: toy\nseed: 8\n",
            "params.yaml is not the study toy: run `make study",
        ),
        ("new.py", "", "first new.py: commit them first"),
    ],
)
def test_what_is_not_committed_is_refused(repository, path, text, words):
    (repository / path).write_text(text)
    said = say(repository, "toy")
    assert said.returncode == 1
    assert words in said.stderr
    assert not (repository / "studies/toy/record").exists()


def test_what_is_not_up_to_date_is_refused(repository):
    (repository / "reports/compare/metrics.json").write_text("{}")
    said = say(repository, "toy")
    assert said.returncode == 1
    assert "not up to date: compare; run `make repro`" in said.stderr


def test_results_that_no_opening_names_are_refused(repository):
    open_test_set(repository, study="other")
    open_test_set(repository, results="0123456789ab 0123456789ab")
    said = say(repository, "toy")
    assert said.returncode == 1
    assert (
        "reports/test_openings.csv has no line of study toy with these results of left, right: "
        "run `make final`"
    ) in said.stderr
    assert not (repository / "studies/toy/record").exists()


def test_the_synthetic_study_needs_no_opening(repository, monkeypatch):
    monkeypatch.chdir(repository)
    assert record.unopened("toy") != []
    assert record.unopened(record.SYNTHETIC) == []


@pytest.mark.slow
def test_a_record_holds_numbers_and_is_proved(repository):
    open_test_set(repository)
    assert say(repository, "toy").returncode == 0
    folder = repository / "studies/toy/record"
    assert sorted(path.name for path in folder.iterdir()) == [
        "dvc.lock", "host.json", "metrics.json", "params.yaml", "record.json",
    ]  # fmt: skip
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    assert json.loads((folder / "record.json").read_text())["commit"] == head
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["compare"] == {"left": {"accuracy": 0.4}, "right": {"accuracy": 0.5}}
    assert metrics["evaluate"]["right"]["accuracy"] == {"value": 0.5, "low": 0.1, "high": 0.9}
    assert (folder / "dvc.lock").read_bytes() == (repository / "dvc.lock").read_bytes()

    said = toy.python(
        repository, "-m", "flows.verify", "--study", "toy", TMPDIR=str(repository.parent)
    )
    assert said.returncode == 0, said.stderr
    assert "7 outputs of 4 stages identical" in said.stdout


def test_a_study_without_a_record_says_so(repository):
    said = toy.python(repository, "-m", "flows.verify", "--study", "toy")
    assert said.returncode == 1
    assert "run `make record STUDY=toy` first" in said.stderr


def test_numbers_of_searches_prunings_and_exports_are_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (
        "compare",
        "search/s",
        "prune/a",
        "finish/a-pruned_50",
        "evaluate/a-pruned_50",
        "evaluate/a",
        "export/a",
    ):
        path = Path("reports", place, "metrics.json")
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"from": place}))
    found = record.metrics()
    assert list(found) == ["compare", "search", "prune", "finish", "evaluate", "export"]
    assert found["search"] == {"s": {"from": "search/s"}}
    assert list(found["evaluate"]) == ["a", "a-pruned_50"]


def test_durations_are_found_though_two_stages_share_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("reports/host").mkdir(parents=True)
    noted = {"split": 1.5, "transfer@a": 2.5, "finish@a-pruned_50": 3.5, "gone@a": 9.0}
    for name, seconds in noted.items():
        Path(f"reports/host/{name}.json").write_text(json.dumps({"seconds": seconds}))
    lock = {
        "split": {"cmd": "python -m stages.split"},
        "transfer-searched@a": {"cmd": "python -m stages.transfer a"},
        "finish@a-pruned_50": {"cmd": "python -m stages.finish a pruned_50"},
        "evaluate@a": {"cmd": "python -m stages.evaluate a"},
    }
    wanted = {"split": 1.5, "transfer-searched@a": 2.5, "finish@a-pruned_50": 3.5}
    assert record.host(lock)["seconds"] == wanted


def test_measured_speed_is_kept_while_it_is_of_these_models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert record.speed(record.SPEED) is None
    for path in (record.SPEED, Path("data/models/a/config.json")):
        path.parent.mkdir(parents=True)
    Path("data/models/a/config.json").write_text("{}")
    sha256 = hashlib.sha256(b"{}").hexdigest()
    found = {"models": {"a": {"config_sha256": sha256}}, "rows": [1.5]}
    record.SPEED.write_text(json.dumps(found))
    assert record.speed(record.SPEED) == found
    Path("data/models/a/config.json").write_text('{"trained": "again"}')
    assert record.speed(record.SPEED) is None
    Path("data/models/a/config.json").unlink()
    assert record.speed(record.SPEED) is None


def test_data_hashes_are_those_that_ingest_read():
    dep = {"path": "data/raw/demo", "hash": "md5", "md5": "0a.dir", "size": 3, "nfiles": 2}
    lock = {
        "phantom": {"deps": [{"path": "data/raw/other", "md5": "1"}]},
        "ingest@demo": {"deps": [{"path": "cxr/x.py", "md5": "2"}, dep]},
    }
    assert record.data_hashes(lock) == {"demo": {"md5": "0a.dir", "size": 3, "nfiles": 2}}
