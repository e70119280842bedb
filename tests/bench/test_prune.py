"""`make bench-prune`: the stages' own cuts under equal terms, test looked at once, honest words on differences."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from cxr import artifacts, prepared, seeding
from cxr.metrics import summary
from cxr.pruning import cuts, cutting
from cxr.pruning.methods import METHODS
from cxr.training import models
from stages import evaluate
from stages import prune as stage
from tests.bench import (
    prune,
    prune_data,
    prune_forecast,
    prune_judging,
    prune_rows,
    prune_steps,
    prune_tuning,
    prune_validity,
)
from tests.bench.prune_data import RUN, SHOWN, Size
from tests.bench.prune_rows import PARENT, SCRATCH, WHOLE
from tests.pruning.parents import SIZE, make, save, small
from tests.stages.test_finish import SETTINGS as FINISH
from tests.training.recipes import TINY

ROOT = Path(__file__).resolve().parents[2]
PRUNE: dict[str, Any] = {
    "criterion": "l1_norm", "encoding": "counts", "shares": [0.5], "window": 0.9,
    "fitness": "loss", "worst_label": None, "latency": None, "population": 3, "generations": 1,
    "survivors": None, "contest": {"evolved": 1, "samples": 8}, "recalibration_images": 8,
    "optimizer": TINY["optimizer"], "distillation": FINISH["distillation"],
}  # fmt: skip


def lay(folder: Path, *, folds: int) -> Path:
    """Lay out a project with a parent that nobody trained, under the bench's name."""
    make(folder, folds=folds)
    save(folder / "data/models" / RUN, small(), folds=folds)
    shutil.rmtree(folder / "data/models/toy")
    artifacts.write_json(folder / "reports/transfer" / RUN / "metrics.json", {"val_auroc": 0.5})
    recipes = {"transfer": {**TINY, "backbone": "resnet10t", "backbone_options": small().backbone_options}, "prune": PRUNE, "finish": FINISH}  # fmt: skip
    runs = {section: {"recipes": {RUN: content}} for section, content in recipes.items()}
    with (folder / "params.yaml").open("w") as file:
        YAML().dump({"seed": 7, **runs}, file)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two folds, pruned and fine-tuned by the stages' own functions."""
    with pytest.MonkeyPatch.context() as patch:
        folder = lay(tmp_path_factory.mktemp("project"), folds=2)
        patch.chdir(folder)
        patch.setenv("CXR_WORKERS", "1")
        stage.main(RUN)
        prune_tuning.main()
    return folder


def bench(project: Path, part: prune_judging.Part) -> prune_judging.Bench:
    return prune_judging.Bench(project, part, "toy")


@pytest.fixture(scope="module")
def said(project: Path) -> dict[str, prune_judging.Row]:
    """The rows by method, as val judges them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_WORKERS", "1")
        rows, _ = prune_judging.judge(bench(project, "val"))
    return {row["method"]: row for row in rows}


def test_every_method_is_cut_to_the_same_cost_and_has_a_row(
    project: Path, said: dict[str, prune_judging.Row]
) -> None:
    assert list(said) == [PARENT, *SHOWN] and SHOWN[: len(METHODS)] == METHODS
    assert [row["share"] for row in said.values()] == [WHOLE] + 9 * [50]
    parent = models.config(project / "data/models" / RUN)
    for method in SHOWN:
        found = models.config(project / f"data/models/{RUN}-{method}_50")
        assert said[method]["parameters"] == found["parameters"] < parent["parameters"]
        assert said[method]["macs"] <= found["macs"] <= parent["macs"] // 2
        assert said[method]["filled"] <= 1
    assert said[SCRATCH]["macs"] == said["evolved"]["macs"]
    assert prune_judging.missing(list(said.values()), [0.5, 0.3]) == [f"{x} at 30 %" for x in SHOWN]


def test_what_is_handed_over_is_trained_as_its_origins_own_cut(
    project: Path, said: dict[str, prune_judging.Row]
) -> None:
    model = project / "data/models" / RUN
    chosen = cuts.read(project / "data/pruned" / RUN, model, "pruned_50")
    counted = said["pruned"]["origin"].split()
    assert sorted(counted[::2]) == sorted({one.origin for one in chosen})
    assert sum(map(int, counted[1::2])) == 2 and said["evolved"]["origin"] == ""
    for fold, one in enumerate(chosen):
        pair = [
            project / f"data/models/{RUN}-{name}_50/fold-{fold}.safetensors"
            for name in ("pruned", one.origin)
        ]
        assert pair[0].read_bytes() == pair[1].read_bytes()


def test_from_scratch_has_the_evolved_shape_and_other_weights(project: Path) -> None:
    evolved, scratch, uniform = (
        models.load(project / f"data/models/{RUN}-{name}_50", 0)
        for name in ("evolved", SCRATCH, "uniform")
    )
    shapes = [[x.shape for x in one.network.parameters()] for one in (evolved, scratch, uniform)]
    assert shapes[0] == shapes[1]
    assert evolved.recipe == scratch.recipe == uniform.recipe
    kept = artifacts.read_json(project / f"data/models/{RUN}-evolved_50/fold-0.json")["pruning"]
    start = models.load(project / "data/models" / RUN, 0).network
    cutting.cut(start, kept, size_px=SIZE)

    def moved(member: models.Member) -> float:
        pairs = zip(start.parameters(), member.network.parameters(), strict=True)
        return max(float((one - other).detach().abs().max()) for one, other in pairs)

    assert 0 < moved(evolved) < 0.1 < moved(scratch)  # of the parent's weights, or of none


def test_a_second_run_trains_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("CXR_WORKERS", "1")

    def never(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(prune_tuning.tuning, "_fine_tune", never)
    monkeypatch.setattr(prune_tuning, "_from_scratch", never)
    files = sorted((project / "data/models").rglob("*.safetensors"))
    before = [path.read_bytes() for path in files]
    prune_tuning.main()
    assert [path.read_bytes() for path in files] == before and len(files) == 2 * 10


@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_judging_on_test_is_what_evaluate_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: Any
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    folder = lay(tmp_path, folds=2)
    save(folder / "data/models" / RUN, small(loss=loss), folds=2)
    index = prepared.read(folder / "data/prepared").index
    splits = artifacts.read_csv(folder / "data/splits.csv")
    predicted, _ = evaluate.predict(
        folder / "data/models" / RUN, folder / "data/prepared", index, splits, loss=loss
    )
    (told,) = prune_judging.scored(bench(folder, "test"), [RUN])
    assert np.array_equal(summary.values(told), summary.values(evaluate.scored(predicted)))


def test_val_judges_in_development_and_test_alone_in_the_proof(
    project: Path,
    said: dict[str, prune_judging.Row],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    other = tmp_path / "other"
    shutil.copytree(project, other)
    images = prepared.read(other / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[[*range(4), *range(28, 32)]] = 0  # test of both folds
    prepared.write(other / "data/prepared", pixels.__getitem__, images.index)

    def auroc(folder: Path, part: prune_judging.Part) -> list[float]:
        return [row["auroc"] for row in prune_judging.judge(bench(folder, part))[0]]

    assert auroc(other, "val") == [row["auroc"] for row in said.values()]
    assert set(auroc(other, "test")) == {0.5} != set(auroc(project, "test"))


def test_all_networks_meet_the_same_patients(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    (one, other) = prune_judging.scored(bench(project, "val"), [RUN, f"{RUN}-uniform_50"])

    def draws(told: summary.Scored) -> np.ndarray:
        return prune_judging.weigh(
            told, ["a", "b"], rng=seeding.stream(1, "toy"), draws=50
        ).resampled_B

    assert np.array_equal(draws(one), draws(one), equal_nan=True)
    assert not np.array_equal(draws(one), draws(other), equal_nan=True)
    better = summary.Scored(**{**vars(one), "scores_NL": one.labels_NL.astype(np.float32)})
    known = draws(better)[~np.isnan(draws(better))]
    assert len(known) > 40 and set(known) == {1.0}


SLEEPY = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("child").write_text(str(child.pid))
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_step_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    with pytest.raises(prune_steps.Over):
        prune_steps.run(tmp_path, ["sleepy"], "made", deadline=time.monotonic() + 3)
    assert not alive(int((tmp_path / "child").read_text()))
    with pytest.raises(prune_steps.Over):
        prune_steps.run(tmp_path, ["sleepy"], "made", deadline=time.monotonic())


def test_a_step_that_is_done_is_not_run_and_one_that_fails_is_told(tmp_path: Path) -> None:
    (tmp_path / "made").touch()
    prune_steps.run(tmp_path, ["no_such_module"], "made", deadline=time.monotonic() + 60)
    (tmp_path / "lazy.py").write_text("")
    with pytest.raises(ValueError, match=r"`lazy` failed in .* \(exit 0\)"):
        prune_steps.run(tmp_path, ["lazy"], "other", deadline=time.monotonic() + 60)


@pytest.mark.parametrize("name", [*prune_data.CASES, prune.VALIDITY])
def test_recipes_are_the_studies_with_both_shares(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    case = prune_data.CASES.get(name, prune_data.VALIDITY)
    found = prune_data.recipes(case)
    assert found["prune"]["shares"] == [0.5, 0.3]
    assert found["transfer"]["backbone"] == RUN
    assert found["transfer"]["backbone_options"] == {"pad_type": "same", "bn_eps": 1e-3}
    assert found["transfer"]["weights"]["file"].endswith(prune_data.WEIGHTS)
    quick = prune_data.recipes(case, prune.QUICK)
    assert quick["prune"]["population"] == 4 and quick["transfer"]["epochs"] == 1
    assert quick["prune"]["window"] == found["prune"]["window"]
    with pytest.raises(ValueError, match="'search' is no section"):
        prune_data.recipes(case, {"search": {}})
    with pytest.raises(ValueError, match=f"{case.data}: prune"):
        prune_data.recipes(case, {"prune": {"population": 1}})


def test_a_division_is_thinned_evenly() -> None:
    parts = ["train"] * 10 + ["val"] * 3 + ["test"] * 5
    table = pd.DataFrame({"image": range(18), "group": range(18), "fold_0": parts, "fold_1": parts})
    assert prune_data.thin(table, Size()).equals(table)
    few = prune_data.thin(table, Size(images=4, folds=1))
    assert list(few) == ["image", "group", "fold_0"]
    assert few["fold_0"].value_counts().to_dict() == {
        "excluded": 7,
        "train": 4,
        "test": 4,
        "val": 3,
    }
    assert few.loc[few["fold_0"] == "train", "image"].tolist() == [0, 3, 6, 9]


def test_a_project_is_laid_out_for_the_stages_once(tmp_path: Path) -> None:
    make(tmp_path / "source", folds=2)
    folder, real = tmp_path / "source/data", tmp_path / "real"
    tree: dict[str, Any] = {
        "transfer": {"weights": {"file": "data/raw/weights/w.safetensors", "sha256": "0"}}
    }
    with pytest.raises(ValueError, match=r"w\.safetensors is missing: the parents start from it"):
        prune_data.lay(folder, tree, real, tmp_path, seed=1, size=Size())
    (real / "weights").mkdir(parents=True)
    (real / "weights/w.safetensors").write_text("weights")
    laid = [
        prune_data.lay(folder, tree, real, tmp_path, seed=seed, size=Size(images=2, folds=1))
        for seed in (1, 1, 2)
    ]
    assert laid[0] == laid[1] != laid[2]
    assert (laid[0] / "data/raw/weights/w.safetensors").read_text() == "weights"
    assert (laid[0] / "data/prepared/index.csv").read_bytes() == (
        folder / "prepared/index.csv"
    ).read_bytes()
    assert list(artifacts.read_csv(laid[0] / "data/splits.csv")) == ["image", "group", "fold_0"]
    read = YAML(typ="safe").load(laid[2] / "params.yaml")
    assert read == {"seed": 2, "transfer": {"recipes": {RUN: tree["transfer"]}}}


def test_the_forecast_counts_what_is_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    pace = prune_forecast.measure(project)
    tuned = sorted((project / "data/tuning").glob("*.safetensors"))
    assert pace.folds == 2 and pace.tunings == 2 * 8 >= len(tuned) >= 2 * 4
    assert pace.briefs == 2 * 7 and pace.judged >= 2 * (3 + 7)
    assert pace.seconds > pace.judged * pace.judged_s > 0 and pace.tuned_s >= pace.judged_s
    other = prune_forecast.of_validity(pace, networks=5)
    assert (other.judged, other.briefs, other.tunings) == (5, 5, 10)
    assert "2 parent(s)" in pace.line()


def test_random_networks_of_one_cost_are_judged_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lay(tmp_path, folds=1))
    monkeypatch.setenv("CXR_WORKERS", "1")
    prune_validity.main(50, 2)
    found = artifacts.read_csv(tmp_path / prune_validity.made(50))
    limit = models.config(tmp_path / "data/models" / RUN)["macs"] // 2
    assert found["number"].tolist() == [0, 1]
    assert found["macs"].between(PRUNE["window"] * limit, limit).all()
    assert found["parameters"].nunique() == 2
    assert set(prune_validity.MEASURES) - {"again"} <= set(found)
    assert not found["final_loss"].equals(found["again_loss"])  # another seed
    assert not found["brief_loss"].equals(found["loss"])
    images = prepared.read(tmp_path / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[28:] = 0  # test
    prepared.write(tmp_path / "data/prepared", pixels.__getitem__, images.index)
    shutil.rmtree(tmp_path / "data/validity")
    before = (tmp_path / prune_validity.made(50)).read_bytes()
    prune_validity.main(50, 2)
    assert (tmp_path / prune_validity.made(50)).read_bytes() == before
    with pytest.raises(ValueError, match=r"2 different networks at 50%, not 3: ask for fewer"):
        prune_validity.main(50, 3)


@pytest.mark.parametrize(
    ("words", "real", "said"),
    [
        ([], None, "CXR_REAL_DATA must name the folder of real data"),
        (["--seeds", "100"], ".", "go with --develop"),
        (["--quick"], ".", "go with --develop"),
        (["--develop", "--seeds", "2"], ".", "develop on seeds from 100 on, not on 2"),
        (["--develop", "--minutes", "1"], ".", "is missing: CXR_REAL_DATA names the folder of data sets"),
    ],
)  # fmt: skip
def test_what_cant_be_done_is_one_clear_line(
    words: list[str], real: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prune", *words])
    monkeypatch.setattr(prune, "SCRATCH", tmp_path / "scratch")
    monkeypatch.setattr(prune, "TRIALS", tmp_path / "trials")
    monkeypatch.delenv("CXR_REAL_DATA", raising=False)
    if real:
        monkeypatch.setenv("CXR_REAL_DATA", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        prune.main()
    assert str(ended.value).startswith("bench-prune: error: ") and said in str(ended.value)
    assert "\n" not in str(ended.value) and os.listdir(tmp_path) == []


def test_a_sitting_judges_each_seed_once_and_goes_on_with_the_next(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    recipes = {"toy": {"prune": PRUNE, "transfer": {}, "finish": {}}}
    plan = prune.Plan(seeds={"toy": [0, 1]}, recipes=recipes, size=Size(), part="test", networks=1, folder=tmp_path / "report")  # fmt: skip
    asked: list[int] = []

    def laid(_: object, name: str, seed: int, real: Path) -> Path:
        asked.append(seed)
        return project

    monkeypatch.setattr(prune, "project", laid)
    monkeypatch.setattr(prune, "forecast", lambda *_: None)
    assert prune.sitting(plan, tmp_path, deadline=time.monotonic())  # nothing is left to train
    rows = prune_rows.Rows(plan.folder).read()
    assert asked == [0, 1] and len(rows) == 20 and set(rows["openings"]) == {1}
    assert (plan.folder / "openings.csv").read_text() == "data,seed\ntoy,0\ntoy,1\n"
    assert artifacts.read_json(plan.folder / "verdict.json")["complete"]
    assert (plan.folder / "table.csv").is_file() and (plan.folder / "verdict.png").is_file()
    before = (plan.folder / "rows.csv").read_bytes()
    assert prune.sitting(plan, tmp_path, deadline=time.monotonic()) and asked == [0, 1]
    assert (plan.folder / "rows.csv").read_bytes() == before
