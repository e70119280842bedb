"""search: all methods on equal terms, the same bytes for any number of workers and after any kill."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from cxr import artifacts, backbones, params, prepared, workers
from cxr.evolution import records
from cxr.search import fitness
from stages import search
from tests.search.settings import PARTS, RECIPE, SPACE, TRAINING, make_project

ROOT = Path(__file__).resolve().parents[2]
FEW = {"blocks": ["plain"], "depths": [1], "squeeze_excitation": [False], "widths": [8], "downs": ["stride"]}  # fmt: skip
SHORT = {
    "generations": 1, "rungs": [{"networks": 2, "samples": 8}], "baselines": [],
    "finalists": {"networks": 1, "seeds": 1, "samples": 8},
}  # fmt: skip


def command(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.search", "toy", *words],
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    started = command(folder, *words, **environment)
    out, err = started.communicate()
    return subprocess.CompletedProcess(started.args, started.returncode, out, err)


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(
        p for top in ("data/searched", "reports/search") for p in (folder / top).rglob("*") if p.is_file()
    )  # fmt: skip
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def on_record(folder: Path) -> list[Path]:
    return sorted(folder.glob("data/.scratch/search/*/*.json"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to search in, in this process and with one worker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXR_WORKERS", "1")
    make_project(tmp_path)
    return tmp_path


def test_one_and_two_workers_leave_the_same_bytes_and_a_killed_run_goes_on(project):
    """One worker is this process itself, two are processes of the command line, killed with SIGKILL."""
    changes = {"baselines": ["largest", "resnet10t"]}
    make_project(project, **changes)
    said = search.main("toy")
    other = project / "two"
    make_project(other, **changes)
    started = command(other, CXR_WORKERS="2")
    while started.poll() is None and len(on_record(other)) < 5:
        time.sleep(0.02)
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
    assert started.returncode == -signal.SIGKILL and contents(other) == {}
    done = run(other, CXR_WORKERS="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"search@toy: {said} (")
    assert said.startswith("auroc on search_val, mean of 2 seed(s): evolved 0.")
    assert ", random 0." in said and ", largest 0." in said and ", resnet10t " in said
    one, two = contents(project), contents(other)
    assert one == two
    assert [Path(name).name for name in one] == [
        "architectures.json", "fold-0-evolved.safetensors", "fold-0-random.safetensors",
        "fold-1-evolved.safetensors", "fold-1-random.safetensors", "metrics.json",
        "candidates.csv", "correlations.csv", "finalists.csv",
        "finalists.png", "front.png", "progress.png", "winner.png",
    ]  # fmt: skip
    assert [path.name for path in on_record(project)] == [path.name for path in on_record(other)]
    assert not sorted(project.glob("data/.scratch/search/*/tensors-*"))


def test_what_is_written_fits_together(project):
    search.main("toy")
    report = project / "reports/search/toy"
    metrics = artifacts.read_json(report / "metrics.json")
    tried = artifacts.read_csv(report / "plots/candidates.csv")
    finals = artifacts.read_csv(report / "plots/finalists.csv")
    assert (metrics["networks"], metrics["samples"]) == (6, 2 * (3 * 16 + 2 * 32))
    assert (tried.groupby(["fold", "method"]).size() == 2 * (3 + 2)).all() and len(tried) == 40
    assert tried["macs"].max() <= SPACE["caps"]["macs"]
    folder = project / "data/searched/toy"
    found = artifacts.read_json(folder / "architectures.json")
    assert found["size_px"] == 32 and len(found["folds"]) == len(metrics["folds"]) == 2
    for fold, picks in enumerate(found["folds"]):
        assert list(picks) == ["evolved", "random"]
        for method, architecture in picks.items():
            mine = (finals["fold"] == fold) & (finals["method"] == method)
            rows = finals[mine & (finals["picked"] == 1)]
            assert set(rows["network"]) == {artifacts.canonical_json(architecture)}
            assert list(rows["seed"]) == [0, 1] and set(rows["samples"]) == {48}
            means = finals[mine].groupby("network")["search_val_auroc"].mean()
            assert metrics["folds"][fold][method]["auroc"] == means.max()
            network = backbones.create("searched", options=architecture, seed=0, stream=("x",))
            tensors = artifacts.read_tensors(folder / f"fold-{fold}-{method}.safetensors")
            network.load_state_dict(tensors)


def test_stopped_anywhere_it_goes_on_and_trains_nothing_twice(project, monkeypatch):
    search.main("toy")
    whole, names = contents(project), [path.name for path in on_record(project)]
    for path in on_record(project):
        path.unlink()
    write, written = records._write, []

    def stopped(folder, key, result):
        if len(written) % 7 == 6:
            written.append("")
            raise KeyboardInterrupt
        written.append(key)
        write(folder, key, result)

    monkeypatch.setattr(records, "_write", stopped)
    for _ in range(100):
        try:
            search.main("toy")
            break
        except KeyboardInterrupt:
            continue
    assert contents(project) == whole
    done = [key for key in written if key]
    assert len(done) == len(set(done)) == len(names)
    assert [path.name for path in on_record(project)] == names


def test_a_search_that_is_extended_trains_only_what_is_new(project, monkeypatch):
    search.main("toy")
    short = artifacts.read_csv(project / "reports/search/toy/plots/candidates.csv")
    before = {path.name for path in on_record(project)}
    make_project(project, generations=3)
    work, trained = fitness.evaluate, []
    monkeypatch.setattr(fitness, "evaluate", lambda task: trained.append(task) or work(task))
    search.main("toy")
    longer = artifacts.read_csv(project / "reports/search/toy/plots/candidates.csv")
    same = ["fold", "method", "generation", "rung", "auroc", "architecture"]
    begin = longer.loc[longer["generation"] < 2, same].reset_index(drop=True)
    assert begin.equals(short[same])
    assert before < {path.name for path in on_record(project)}
    assert 0 < len(trained) <= 2 * 2 * (3 + 2)


def test_val_chooses_nothing_and_test_is_never_seen(project):
    splits = artifacts.read_csv(project / "data/splits.csv")
    splits["fold_1"] = splits["fold_0"]
    artifacts.write_csv(project / "data/splits.csv", splits)
    search.main("toy")
    before = contents(project)

    def change(*parts):
        images = prepared.read(project / "data/prepared")
        pixels = images.gather(np.arange(len(PARTS)))
        unseen = np.isin(PARTS, parts)
        pixels[unseen] = 255 - pixels[unseen]
        index = images.index.copy()
        for label in ("label:a", "label:b"):
            index.loc[unseen, label] = 1 - index.loc[unseen, label]
        prepared.write(project / "data/prepared", pixels.__getitem__, index)
        search.main("toy")
        return {name for name, content in contents(project).items() if content != before[name]}

    assert change("test") == set()
    looked = {"metrics.json", "finalists.csv", "finalists.png"}
    assert {Path(name).name for name in change("val")} <= looked
    finals, after = (
        artifacts.read_csv(io.BytesIO(content["reports/search/toy/plots/finalists.csv"]))
        for content in (before, contents(project))
    )
    val = ["val_auroc", "val_accuracy"]
    assert finals.drop(columns=val).equals(after.drop(columns=val)) and not finals.equals(after)


def test_a_grid_tries_all_and_its_pick_is_shown(project):
    make_project(
        project, space={**SPACE, **FEW}, methods=["grid"], generations=1, rungs=[{"networks": 4, "samples": 8}],
        finalists={"networks": 1, "seeds": 2, "samples": 16}, baselines=["largest"],
    )  # fmt: skip
    assert search.main("toy").count("grid 0.") == 1
    tried = artifacts.read_csv(project / "reports/search/toy/plots/candidates.csv")
    assert len(tried) == 2 * 4 and set(tried["method"]) == {"grid"}
    shown = search.show("toy")
    assert (
        shown.count("grid: stem 8 → ") == 2 and "mean ± sd of 2 training(s) on 16 images" in shown
    )


def test_show_needs_a_search_and_trains_nothing(project, monkeypatch):
    with pytest.raises(
        ValueError, match=r"architectures.json is missing: search first, `dvc repro"
    ):
        search.show("toy")
    make_project(project, **SHORT)
    search.main("toy")
    monkeypatch.setattr(fitness, "evaluate", lambda _: pytest.fail("something was trained"))
    done = run(project, "--show")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{search.show('toy')}\n" and "fold 1, random: stem 8" in done.stdout


def test_accuracy_may_rank(project):
    make_project(project, **SHORT, score="accuracy")
    assert search.main("toy").startswith("accuracy on search_val")


def _settings():
    return params.build(search.Params, RECIPE, where="recipe")


def test_splits_in_another_order_give_the_same_tasks(project):
    index = prepared.read(project / "data/prepared").index
    splits = artifacts.read_csv(project / "data/splits.csv")
    made = [
        search.tasks(_settings(), index, table, prepared_folder=project, seed=7)
        for table in (splits, splits.iloc[::-1])
    ]
    for one, other in zip(*made, strict=True):
        for name in ("train_rows", "search_rows", "val_rows"):
            assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert made[0][0].train_rows.tolist() == list(range(16))
    assert made[0][0].val_rows.tolist() == list(range(16, 20))
    assert made[0][1].search_rows.tolist() == list(range(4, 12))


WEIGHTS = {"file": "a.safetensors", "sha256": "0"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {**SPACE, "caps": {**SPACE["caps"], "macs": 100}}}, "the smallest is {"),
        ({"space": {**SPACE, "caps": {**SPACE["caps"], "macs": None}}}, "space.caps.macs must be a number"),
        ({"image_px": 4}, "images of 4 px are too small: the shallowest network of the space needs 8 px"),
        ({"image_px": 0}, "search.recipes.toy: image_px must be at least 1, not 0"),
        ({"image_px": 64}, "search.recipes.toy.image_px is 64, the prepared images have 32 px"),
        ({"space": {**SPACE, "widths": []}}, "search.recipes.toy.space: widths is empty"),
        ({"space": {**SPACE, "name": "cells"}}, "unknown search/spaces 'cells': known are basalamah_grid"),
        ({"rungs": []}, "at least 1 generation and 1 rung are needed, not 2 and []"),
        ({"rungs": [{"networks": 3, "samples": 0}]}, "rungs[0].samples must be at least 1, not 0"),
        ({"finalists": {"networks": 0, "seeds": 1, "samples": 1}}, "finalists: networks must be at least 1"),
        ({"space": {**SPACE, **FEW}, "generations": 3}, "networks, but only 4 different ones"),
        ({"baselines": ["resnet1"]}, "unknown backbone 'resnet1'"),
        ({"methods": ["random"], "prefilter": {"proxy": "macs", "draws": 2}}, "it goes with method evolved"),
        ({"guide": 1, "prefilter": {"proxy": "luck", "draws": 2}}, "unknown search/proxies 'luck'"),
        ({"guide": 2, "prefilter": {"proxy": "macs", "draws": 2}}, "write guide: 1 or prefilter: null"),
        ({"guide": 0}, "guide must be at least 1, not 0"),
        ({"training": {**TRAINING, "weights": WEIGHTS}}, "networks of the space cxr_cells can't take up weights"),
        ({"training": {**TRAINING, "epochs": 3}}, "training.epochs is unknown"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_leaves_nothing(project, monkeypatch, change, message):
    make_project(project, **change)
    for name in ("run", "arrivals"):
        monkeypatch.setattr(workers, name, lambda *_, **__: pytest.fail("something was trained"))
    with pytest.raises(ValueError) as error:
        search.main("toy")
    assert message in str(error.value)
    assert contents(project) == {} and not (project / "data/.scratch").exists()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["train"] * 20 + ["val"] * 4, "search_val of fold 0 has 0 images and no label"),
        (["train"] * 16 + ["search_val"] + ["val"] * 7, "search_val of fold 0 has 1 images"),
        (["val"] * 16 + ["search_val"] * 8, "train of fold 0 is empty: give split.fractions.train"),
    ],
)
def test_parts_that_can_not_rank_networks_are_told_with_their_cure(project, parts, message):
    make_project(project, parts=parts)
    with pytest.raises(ValueError) as error:
        search.main("toy")
    assert message in str(error.value) and "split.fractions" in str(error.value)


def test_on_the_command_line_a_fault_is_one_line(tmp_path):
    make_project(tmp_path)
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, "search": {"recipes": {}}}, file)
    failed = run(tmp_path)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "search.recipes.toy is missing ('toy' not among" in failed.stderr
