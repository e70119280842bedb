"""finish: the cut network, fine-tuned: the same bytes for any number of workers; clear words on faults."""

from pathlib import Path

import numpy as np
import pytest

from cxr import artifacts, prepared, scratch
from cxr.metrics import cost
from cxr.pruning import cuts, cutting, parent, tuning
from cxr.training import calibrating, loop, models
from stages import finish
from tests.pruning import projects
from tests.pruning.parents import SIZE, make, mislabel, save, small
from tests.training.recipes import TINY

SETTINGS = {
    "epochs": 1,
    "optimizer": TINY["optimizer"],
    "distillation": {"weight": 0.5, "temperature": 2.0},
}


def make_project(folder: Path, *, folds: int = 1, **changes) -> Path:
    """Lay out what the stage reads: a parent, and two cuts of each of its folds."""
    make(folder, folds=folds)
    projects.parameters(
        folder,
        prune={"recipes": {"toy": {"recalibration_images": 8, "reconstruct": True}}},
        finish={"recipes": {"toy": {**SETTINGS, **changes}}},
    )
    return cut_out(folder)


def cut_out(folder: Path) -> Path:
    """Write cuts of the parent as it is: of each group every second channel, or the last half."""
    model = folder / "data/models/toy"
    by_fold: list[dict[str, cuts.Cut]] = []
    for fold in range(models.config(model)["folds"]):
        groups = cutting.groups(models.load(model, fold).network, size_px=SIZE)
        halves = {
            "taylor": {x.name: list(range(fold, x.channels, 2)) for x in groups},
            "uniform": {x.name: list(range(x.channels // 2, x.channels)) for x in groups},
        }
        own = []
        for origin, kept in halves.items():
            network = models.load(model, fold).network
            cutting.cut(network, kept, size_px=SIZE)
            macs = cost.macs(network, size_px=SIZE)
            own.append(cuts.Cut(kept=kept, macs=macs, origin=origin))
        by_fold.append(dict(zip(("pruned_50", "uniform_50"), own, strict=True)))
    with artifacts.folder(folder / "data/pruned/toy") as partial:
        cuts.write(partial, model, by_fold)
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path))
    monkeypatch.setenv("CXR_WORKERS", "1")
    return tmp_path


def contents(folder: Path, name: str = "toy-pruned_50") -> dict[str, bytes]:
    return projects.contents(folder, f"data/models/{name}", f"reports/finish/{name}")


def test_two_workers_and_one_that_was_interrupted_leave_the_same_bytes(tmp_path, monkeypatch):
    for name in ("two", "one"):
        make_project(tmp_path / name, folds=2)
    done = projects.run(tmp_path / "two", 2, "stages.finish", "toy", "pruned_50")
    assert done.stdout.startswith("finish@toy-pruned_50: 2 network(s) of at most ")
    assert "of the parent's; val AUROC" in done.stdout
    assert (tmp_path / "two/reports/host/finish@toy-pruned_50.json").is_file()
    expected = contents(tmp_path / "two")
    assert not (tmp_path / "two/data/.scratch/finish").exists()
    model = ["config.json", "fold-0.json", "fold-0.safetensors", "fold-1.json", "fold-1.safetensors", "recipe.json"]  # fmt: skip
    report = ["history.csv", "history.png", "metrics.json"]
    assert sorted(Path(name).name for name in expected) == sorted([*model, *report])

    monkeypatch.chdir(tmp_path / "one")
    monkeypatch.setenv("CXR_WORKERS", "1")
    tuned = []
    whole = tuning._fine_tune
    monkeypatch.setattr(tuning, "_fine_tune", lambda task: tuned.append(task) or whole(task))
    with monkeypatch.context() as kept:
        kept.setattr(scratch, "finish", lambda _: None)
        finish.main("toy", "pruned_50")
    assert contents(tmp_path / "one") == expected and len(tuned) == 2
    (folder,) = (tmp_path / "one/data/.scratch/finish").iterdir()
    (folder / "fold-1.safetensors").unlink()
    finish.main("toy", "pruned_50")
    assert [task.fold.number for task in tuned] == [0, 1, 1]
    assert contents(tmp_path / "one") == expected and not folder.exists()


def test_the_model_has_the_channels_of_its_cut_and_is_trained_from_its_parents(project):
    parent_config = models.config(project / "data/models/toy")
    finish.main("toy", "uniform_50")
    finish.main("toy", "pruned_50")
    for cut in ("pruned_50", "uniform_50"):
        (own,) = cuts.read(project / "data/pruned/toy", project / "data/models/toy", cut)
        model = project / f"data/models/toy-{cut}"
        config, member = models.config(model), models.load(model, 0)
        assert config["labels"] == parent_config["labels"]
        assert config["macs"] == own.macs < parent_config["macs"]
        assert artifacts.read_json(model / "fold-0.json")["pruning"] == own.kept
        for name, channels in own.kept.items():
            assert len(member.network.get_submodule(name).weight) == len(channels)
        assert member.recipe.epochs == 1 and member.recipe.loss == small().loss
        begun = projects.carved(project, "toy", own.kept)
        pairs = zip(begun.parameters(), member.network.parameters(), strict=True)
        moved = max(float((one - other).detach().abs().max()) for one, other in pairs)
        assert 0 < moved < 0.1  # from the parent's weights, not from new ones


def test_the_report_says_what_each_fold_costs_and_what_val_said(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path, folds=2, epochs=2))
    monkeypatch.setenv("CXR_WORKERS", "1")  # another test's workers would look into its folder
    line = finish.main("toy", "pruned_50")
    report, model = (
        tmp_path / "reports/finish/toy-pruned_50",
        tmp_path / "data/models/toy-pruned_50",
    )
    found = artifacts.read_json(report / "metrics.json")
    history = artifacts.read_csv(report / "plots/history.csv")
    assert list(history) == ["fold", "epoch", "learning_rate", "train_loss", "val_loss", "val_auroc", "val_accuracy"]  # fmt: skip
    assert history["fold"].tolist() == [0, 0, 1, 1]
    for number, fold in enumerate(found["folds"]):
        row = history[(history["fold"] == number) & (history["epoch"] == fold["best_epoch"])].iloc[
            0
        ]
        for key in ("val_loss", "val_auroc", "val_accuracy"):
            assert fold[key] == row[key]
        network = models.load(model, number).network
        assert fold["parameters"] == cost.parameters(network)
        assert fold["macs"] == cost.macs(network, size_px=SIZE)
    for key in ("val_loss", "val_auroc", "val_accuracy"):
        assert found[key] == pytest.approx(np.mean([fold[key] for fold in found["folds"]]))
    config = models.config(model)
    assert (found["macs"], found["parameters"]) == (config["macs"], config["parameters"])
    assert f"val AUROC {found['val_auroc']:.3f}" in line


def test_searched_parents_keep_their_own_architecture_in_each_fold(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path, folds=2))
    monkeypatch.setenv("CXR_WORKERS", "1")
    options = projects.searched(tmp_path)
    cut_out(tmp_path)
    finish.main("toy", "pruned_50")
    model = tmp_path / "data/models/toy-pruned_50"
    shared = {"search": "toy", "pick": "evolved"}
    assert artifacts.read_json(model / "recipe.json")["backbone_options"] == shared
    assert [models.load(model, fold).recipe.backbone_options for fold in range(2)] == options
    metrics = artifacts.read_json(tmp_path / "reports/finish/toy-pruned_50/metrics.json")
    macs = [fold["macs"] for fold in metrics["folds"]]
    assert macs[0] < macs[1] == metrics["macs"]


def test_the_cut_of_a_calibrated_parent_is_calibrated_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path))
    monkeypatch.setenv("CXR_WORKERS", "1")
    save(Path("data/models/toy"), small(calibration="temperature"), folds=1)
    splits = artifacts.read_csv(Path("data/splits.csv"))
    splits["fold_0"] = splits["fold_0"].replace("test", "calibration")
    artifacts.write_csv(Path("data/splits.csv"), splits)
    mislabel(tmp_path, [28])
    cut_out(tmp_path)
    finish.main("toy", "pruned_50")
    images = prepared.read(Path("data/prepared"))
    part = parent.part(images, np.arange(28, 32))  # PARTS: the last four
    member = models.load(Path("data/models/toy-pruned_50"), 0)
    raw = loop.raw_scores(member.network, member.recipe, part.images_NHW).numpy()
    assert member.recipe.calibration == "temperature"
    assert member.temperature == calibrating.fit(raw, part.labels_NL, "cross_entropy")
    assert calibrating.LOWEST < member.temperature < calibrating.HIGHEST


def test_pixels_of_test_and_of_search_val_images_do_not_enter(project):
    finish.main("toy", "pruned_50")
    before = contents(project)
    images = prepared.read(project / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[22:] = 0  # PARTS: search_val and test
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    finish.main("toy", "pruned_50")
    assert contents(project) == before
    pixels[16:22] = 0  # val
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    finish.main("toy", "pruned_50")
    assert contents(project) != before


def _no_calibration(folder: Path) -> None:
    save(folder / "data/models/toy", small(calibration="temperature"), folds=1)
    cut_out(folder)


def _another_parent(folder: Path) -> None:
    save(folder / "data/models/toy", small(label_smoothing=0.1), folds=1)


def _no_cuts(folder: Path) -> None:
    (folder / "data/pruned/toy/cuts.json").unlink()


def _more_folds(folder: Path) -> None:
    splits = artifacts.read_csv(folder / "data/splits.csv")
    artifacts.write_csv(folder / "data/splits.csv", splits.assign(fold_1=splits["fold_0"]))


@pytest.mark.parametrize(
    ("change", "spoil", "message"),
    [
        ({}, _no_calibration, r"calibration of fold 0 has 0 image.*split\.fractions\.calibration"),
        ({}, _another_parent, r"data/pruned/toy/cuts\.json has cuts of a model whose config\.json"),
        ({}, _no_cuts, r"data/pruned/toy/cuts\.json is missing: run `dvc repro`"),
        ({}, _more_folds, r"toy has 1 fold\(s\), data/splits\.csv has 2: run `dvc repro`"),
        ({"epochs": 0}, None, r"epochs must be at least 1, not 0"),
        ({"distillation": {"weight": 2.0, "temperature": 1.0}}, None, r"weight must be in \[0, 1\]"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_leaves_nothing(tmp_path, monkeypatch, change, spoil, message):
    monkeypatch.chdir(make_project(tmp_path, **change))
    if spoil is not None:
        spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        finish.main("toy", "pruned_50")
    assert contents(tmp_path) == {}


def test_a_cut_that_prune_did_not_leave_is_told(project):
    with pytest.raises(
        ValueError, match=r"fold-0\.json has no cut 'taylor_50': it has pruned_50, "
    ):
        finish.main("toy", "taylor_50")
    assert contents(project, "toy-taylor_50") == {}
