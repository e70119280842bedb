"""`make bench-prune`: the stages' own cuts under equal terms, test looked at once, honest words on differences."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxr import artifacts, prepared, seeding
from cxr.metrics import summary
from cxr.pruning import cuts, cutting, tuning
from cxr.pruning.methods import METHODS
from cxr.training import distillation, folds, loop, models
from cxr.training.network import Network
from stages import evaluate
from stages import prune as stage
from tests.bench import (
    prune,
    prune_data,
    prune_forecast,
    prune_judging,
    prune_rows,
    prune_tuning,
    prune_validity,
)
from tests.bench.prune_data import RUN, SHOWN, Size
from tests.bench.prune_rows import PARENT, SCRATCH, TRAINED_ON, UNCUT, WHOLE
from tests.pruning import projects
from tests.pruning.parents import SIZE, make, mislabel, save, small
from tests.stages.test_finish import SETTINGS as FINISH
from tests.training.recipes import TINY

PRUNE: dict[str, Any] = {
    "criterion": "l1_norm", "encoding": "counts", "multiple": 8, "shares": [0.5], "window": 0.9,
    "fitness": "loss", "worst_label": None, "latency": None, "population": 3, "generations": 1,
    "survivors": None, "contest": {"evolved": 1, "samples": 8}, "recalibration_images": 8, "reconstruct": True,
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
    return projects.parameters(folder, **runs)


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
    assert list(said) == [*UNCUT, *SHOWN] and SHOWN[: len(METHODS)] == METHODS
    assert [row["share"] for row in said.values()] == 2 * [WHOLE] + 10 * [50]
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
    assert sum(map(int, counted[1::2])) == 2 and said["uniform"]["origin"] == ""
    for fold, one in enumerate(chosen):
        pair = [
            project / f"data/models/{RUN}-{name}_50/fold-{fold}.safetensors"
            for name in ("pruned", one.origin)
        ]
        assert pair[0].read_bytes() == pair[1].read_bytes()


def test_the_parent_trained_on_keeps_its_shape_and_not_its_weights(
    project: Path, said: dict[str, prune_judging.Row]
) -> None:
    whole, on = (
        models.load(project / "data/models" / name, 0) for name in (RUN, f"{RUN}-{TRAINED_ON}_100")
    )
    shapes = [[x.shape for x in one.network.parameters()] for one in (whole, on)]
    assert shapes[0] == shapes[1] and on.recipe.epochs == FINISH["epochs"]
    pairs = zip(whole.network.parameters(), on.network.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)
    for key in ("macs", "parameters", "filled"):
        assert said[TRAINED_ON][key] == said[PARENT][key]


def test_from_scratch_has_the_evolved_shape_and_other_weights(project: Path) -> None:
    evolved, scratch, uniform = (
        models.load(project / f"data/models/{RUN}-{name}_50", 0)
        for name in ("evolved", SCRATCH, "uniform")
    )
    shapes = [[x.shape for x in one.network.parameters()] for one in (evolved, scratch, uniform)]
    assert shapes[0] == shapes[1]
    assert evolved.recipe == scratch.recipe == uniform.recipe
    kept = artifacts.read_json(project / f"data/models/{RUN}-evolved_50/fold-0.json")["pruning"]
    start = projects.carved(project, RUN, kept)

    def moved(member: models.Member) -> float:
        pairs = zip(start.parameters(), member.network.parameters(), strict=True)
        return max(float((one - other).detach().abs().max()) for one, other in pairs)

    assert 0 < moved(evolved) < 0.1 < moved(scratch)  # of the parent's weights, or of none


def test_from_scratch_begins_as_a_parent_without_its_weight_file_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that combine, one of them rare: what they alone say must be in the last layer's bias."""
    folder = lay(tmp_path, folds=1)
    recipe = small(loss="bce")
    save(folder / "data/models" / RUN, recipe, folds=1)
    mislabel(folder, [0, 2, 4, 6, 8, 10])
    begun: list[dict[str, torch.Tensor]] = []

    def caught(_: object, network: Network, *__: object, **___: object) -> None:
        begun.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr(tuning, "train", caught)
    monkeypatch.setattr(loop, "fit", lambda *options, **_: caught(None, *options))
    index = prepared.read(Path("data/prepared")).index
    splits = artifacts.read_csv(Path("data/splits.csv"))
    for parent in folds.tasks(recipe, index, splits, prepared_folder=Path("data/prepared"), seed=7):
        with pytest.raises(KeyboardInterrupt):
            folds.fit(parent)
    own = {"scratch_50": [cuts.Cut(kept={}, macs=1, origin="evolved")]}
    (work,) = prune_tuning.plan(own)["scratch_50"]
    with pytest.raises(KeyboardInterrupt):
        prune_tuning.train(work)
    parents, fresh = begun
    assert fresh["head.1.bias"].abs().min() > 0.5  # 14 of 16 images against 2
    assert all(torch.equal(parents[name], tensor) for name, tensor in fresh.items())


def test_a_teacher_that_remembers_says_the_same_and_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lay(tmp_path, folds=1))
    groups = cutting.groups(models.load(stage.MODELS / RUN, 0).network, size_px=SIZE)
    halves = [{x.name: list(range(at, x.channels, 2)) for x in groups} for at in range(2)]
    work = prune_tuning.plan(
        {f"{at}_50": [cuts.Cut(kept=kept, macs=1, origin="random")] for at, kept in enumerate(halves)}
    )  # fmt: skip
    (first,), (other,) = work.values()
    plain = tuning.fine_tune(
        dataclasses.replace(other.task, record=tmp_path / "plain.safetensors")
    ).fitted
    asked: list[int] = []
    scores = distillation.Teacher.scores

    def count(self: distillation.Teacher, images: torch.Tensor) -> torch.Tensor:
        asked.append(len(images))
        return scores(self, images)

    monkeypatch.setattr(distillation.Teacher, "scores", count)
    prune_tuning.train(first)
    assert asked == [8, 8]  # two batches of the one epoch
    found = prune_tuning.train(other).fitted
    assert asked == [8, 8] and found.history == plain.history
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in plain.tensors.items())
    memory = first.task.record.with_name("taught-0.safetensors")
    memory.write_bytes(memory.read_bytes()[:-5])  # torn: it is asked again
    other.task.record.unlink()
    assert prune_tuning.train(other).fitted.history == plain.history and len(asked) == 4


def test_evolutions_cut_that_is_a_baselines_is_named(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project, other)
    folder, model = other / "data/pruned" / RUN, other / "data/models" / RUN
    found = prune_tuning.all_cuts(folder, model)
    names = [name for name in found if not name.startswith((SCRATCH, TRAINED_ON))]
    by_fold = [{name: found[name][fold] for name in names} for fold in range(2)]
    kept = dict(by_fold[1]["random_50"].kept)
    by_fold[1]["evolved_50"] = dataclasses.replace(by_fold[1]["evolved_50"], kept=kept)
    cuts.write(folder, model, by_fold)
    assert "random" not in prune_judging._origin(project, "evolved_50")
    assert "random 1" in prune_judging._origin(other, "evolved_50")
    assert prune_judging._origin(other, "random_50") == ""


def test_a_second_run_trains_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("CXR_WORKERS", "1")

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(tuning, "train", never)
    files = sorted((project / "data/models").rglob("*.safetensors"))
    before = [path.read_bytes() for path in files]
    prune_tuning.main()
    assert [path.read_bytes() for path in files] == before and len(files) == 2 * 12


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


def test_the_forecast_counts_what_is_done(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_WORKERS", "1")
    pace = prune_forecast.measure(project)
    tuned = sorted((project / "data/tuning").glob("*.safetensors"))
    assert pace.folds == 2 and pace.tunings == 2 * (9 + 1) >= len(tuned) >= 2 * 5
    assert pace.briefs == 2 * 8 and pace.judged >= 2 * (3 + 8)
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
    found = artifacts.read_csv(tmp_path / prune_validity.made(50, 2))
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
    before = (tmp_path / prune_validity.made(50, 2)).read_bytes()
    prune_validity.main(50, 2)
    assert (tmp_path / prune_validity.made(50, 2)).read_bytes() == before
    with pytest.raises(ValueError, match=r"2 different networks at 50%, not 3: ask for fewer"):
        prune_validity.main(50, 3)
    assert not (tmp_path / prune_validity.made(50, 3)).exists()  # of 2 networks is not of 3


@pytest.mark.parametrize(
    ("words", "real", "said"),
    [
        ([], None, "CXR_REAL_DATA must name the folder of real data"),
        (["--seeds", "100"], ".", "go with --develop"),
        (["--quick"], ".", "go with --develop"),
        (["--develop", "--seeds", "2"], ".", "develop on seeds from 100 on, not on 2"),
        (["--validity", "--seeds", "100,101"], ".", "networks of one seed, not of 100,101"),
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
    plan = prune.Plan(
        seeds={"toy": [0, 1]}, every={"toy": [0, 1], "other": [0]}, recipes=recipes, size=Size(),
        part="test", networks=1, folder=tmp_path / "report",
    )  # fmt: skip
    asked: list[int] = []

    def laid(_: object, name: str, seed: int, real: Path) -> Path:
        asked.append(seed)
        return project

    monkeypatch.setattr(prune, "project", laid)
    monkeypatch.setattr(prune, "forecast", lambda *_: None)
    assert prune.sitting(plan, tmp_path, deadline=time.monotonic())  # nothing is left to train
    rows = prune_rows.Rows(plan.folder).read()
    assert asked == [0, 1] and len(rows) == 24 and set(rows["openings"]) == {1}
    assert (plan.folder / "openings.csv").read_text() == "data,seed\ntoy,0\ntoy,1\n"
    assert set(rows["code"]) == {prune_data.code()}
    assert not artifacts.read_json(plan.folder / "verdict.json")["complete"]  # the other data set
    assert (plan.folder / "table.csv").is_file() and (plan.folder / "verdict.png").is_file()
    before = (plan.folder / "rows.csv").read_bytes()
    done = dataclasses.replace(plan, every=plan.seeds)
    assert prune.sitting(done, tmp_path, deadline=time.monotonic()) and asked == [0, 1]
    assert (plan.folder / "rows.csv").read_bytes() == before
    assert artifacts.read_json(plan.folder / "verdict.json")["complete"]
    older = rows[(rows["seed"] != 0) | (rows["method"] != TRAINED_ON)]
    artifacts.write_csv(plan.folder / "rows.csv", older)
    assert prune.sitting(done, tmp_path, deadline=time.monotonic()) and asked == [0, 1, 0]
    again = prune_rows.Rows(plan.folder).read()
    assert len(again) == 24 and again.iloc[:23].equals(older.reset_index(drop=True))
    assert (again["method"].iloc[23], again["openings"].iloc[23]) == (TRAINED_ON, 2)


def test_code_that_is_edited_meanwhile_ends_the_sitting_before_test_is_opened(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = {"toy": {"prune": PRUNE, "transfer": {}, "finish": {}}}
    plan = prune.Plan(
        seeds={"toy": [0]}, every={"toy": [0]}, recipes=recipes, size=Size(), part="test",
        networks=1, folder=tmp_path / "report",
    )  # fmt: skip
    versions = iter(["code-1", "code-2"])
    monkeypatch.setattr(prune_data, "code", lambda: next(versions))
    monkeypatch.setattr(prune, "project", lambda *_: project)
    monkeypatch.setattr(prune, "forecast", lambda *_: None)
    with pytest.raises(ValueError, match=r"edited while .* was worked on, .* delete it and start"):
        prune.sitting(plan, tmp_path, deadline=time.monotonic())
    assert not (tmp_path / "report").exists()
