"""prune: the same bytes for any number of workers and after kills; clear words on faults."""

from pathlib import Path

import numpy as np
import pytest

from cxr import artifacts, prepared, scratch
from cxr.metrics import cost
from cxr.pruning import brief, cuts, cutting, fitness, methods
from cxr.training import models
from stages import prune
from tests.architectures.cases import cells, stage
from tests.pruning import projects
from tests.pruning.parents import SIZE, make, save, small, wide
from tests.training.recipes import TINY

SETTINGS = {
    "criterion": "l1_norm",
    "encoding": "counts",
    "multiple": 8,
    "shares": [0.5],
    "window": 0.97,
    "fitness": "auroc",
    "worst_label": None,
    "latency": None,
    "population": 3,
    "generations": 2,
    "survivors": {"networks": 1, "samples": 8},
    "contest": {"evolved": 1, "samples": 8},
    "recalibration_images": 8,
    "reconstruct": True,
    "optimizer": TINY["optimizer"],
    "distillation": {"weight": 0.5, "temperature": 2.0},
}
NAMES = [f"{method}_50" for method in (methods.PICK, *methods.METHODS)]


def make_project(folder: Path, *, folds: int = 1, recipe=None, **changes) -> Path:
    make(folder, recipe or small(), folds=folds)
    section = {"runs": ["toy"], "recipes": {"toy": {**SETTINGS, **changes}}}
    return projects.parameters(folder, prune=section)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(make_project(tmp_path))
    monkeypatch.setenv("CXR_WORKERS", "1")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return projects.contents(folder, "data/pruned", "reports/prune")


def test_two_workers_and_one_that_was_interrupted_leave_the_same_bytes(tmp_path, monkeypatch):
    for name in ("two", "one"):
        make_project(tmp_path / name, folds=2, recipe=wide())
    done = projects.run(tmp_path / "two", 2, "stages.prune", "toy")
    assert "prune@toy: AUROC on search_val after a short training" in done.stdout
    expected = contents(tmp_path / "two")
    assert not (tmp_path / "two/data/.scratch/prune").exists()
    plots = ["candidates.csv", "channels.csv", "channels.png", "contest.csv", "contest.png", "front.png"]  # fmt: skip
    assert list(expected) == [
        *(f"data/pruned/toy/{x}.json" for x in ("cuts", "fold-0", "fold-1")),
        "reports/prune/toy/metrics.json", *(f"reports/prune/toy/plots/{x}" for x in plots),
    ]  # fmt: skip

    monkeypatch.chdir(tmp_path / "one")
    monkeypatch.setenv("CXR_WORKERS", "1")
    worked = {"evaluate": 0, "train": 0}
    _count(monkeypatch, worked)
    with monkeypatch.context() as kept:
        kept.setattr(scratch, "finish", lambda _: None)
        prune.main("toy")
    assert contents(tmp_path / "one") == expected
    metrics = artifacts.read_json(Path("reports/prune/toy/metrics.json"))
    assert worked["evaluate"] == metrics["evaluations"]
    most = 2 * (2 + 1 + 7)  # of a fold: the survivors, the best evolved cut and seven baselines
    assert 2 * 7 <= worked["train"] <= most
    assert f"and {most} short trainings" in done.stderr
    (folder,) = (tmp_path / "one/data/.scratch/prune").iterdir()
    records = sorted(folder.iterdir())
    assert len(records) == sum(worked.values())
    for path in records[::2]:
        path.unlink()
    records[1].write_bytes(records[1].read_bytes()[:-3])  # torn by a power cut, say
    worked.update(evaluate=0, train=0)
    prune.main("toy")
    assert sum(worked.values()) == len(records[::2]) + 1
    assert contents(tmp_path / "one") == expected
    assert not folder.exists()


def _count(monkeypatch, worked: dict[str, int]) -> None:
    for module, name in ((fitness, "evaluate"), (brief, "train")):
        whole = getattr(module, name)

        def count(task, name=name, whole=whole):
            worked[name] += 1
            return whole(task)

        monkeypatch.setattr(module, name, count)


def test_the_cuts_it_leaves_are_what_it_tells(project):
    assert "% (evolved" in prune.main("toy")
    metrics = artifacts.read_json(project / "reports/prune/toy/metrics.json")
    (fold,) = metrics["folds"]
    parent = models.config(project / "data/models/toy")
    assert fold["parent"]["macs"] == parent["macs"]
    assert sorted(fold["cuts"]) == sorted(NAMES)
    table = artifacts.read_csv(project / "reports/prune/toy/plots/channels.csv").set_index("group")
    for name in NAMES:
        (cut,) = cuts.read(project / "data/pruned/toy", project / "data/models/toy", name)
        network = models.load(project / "data/models/toy", 0).network
        cutting.cut(network, cut.kept, size_px=SIZE)
        assert cost.macs(network, size_px=SIZE) == cut.macs <= parent["macs"] / 2
        assert fold["cuts"][name]["macs"] == cut.macs
        assert fold["cuts"][name]["parameters"] == cost.parameters(network)
        for group, count in (table[name] if name in table else table["parent"][:0]).items():
            assert len(network.get_submodule(group).weight) == count
        origin = fold["cuts"][name].get("origin", name.removesuffix("_50"))
        assert cut.origin == origin
    held = artifacts.read_csv(project / "reports/prune/toy/plots/contest.csv")
    winner = held[held["chosen"] == 1].iloc[0]
    assert winner["contest_auroc"] == held["contest_auroc"].max() == metrics["pruned_auroc_50"]
    assert winner["method"] == fold["cuts"]["pruned_50"]["origin"]


def test_searched_parents_keep_their_own_architecture_in_each_fold(tmp_path, monkeypatch):
    few = {"population": 2, "generations": 1, "survivors": None, "shares": [0.6]}
    monkeypatch.chdir(make_project(tmp_path, folds=2, **few))
    monkeypatch.setenv("CXR_WORKERS", "1")
    projects.searched(tmp_path)
    prune.main("toy")
    table = artifacts.read_csv(tmp_path / "reports/prune/toy/plots/channels.csv")
    assert table.groupby("fold")["parent"].max().tolist() == [24, 40]
    found = cuts.read(Path("data/pruned/toy"), Path("data/models/toy"), "uniform_60")
    assert len(found) == 2 and found[0].macs < found[1].macs


def test_a_mask_has_a_gene_for_each_filter(tmp_path, monkeypatch, capsys):
    few = {"population": 2, "generations": 1, "survivors": None, "encoding": "mask"}
    monkeypatch.chdir(make_project(tmp_path, **few))
    monkeypatch.setenv("CXR_WORKERS", "1")
    prune.main("toy")
    table = artifacts.read_csv(tmp_path / "reports/prune/toy/plots/channels.csv")
    assert f"{table['parent'].sum()} genes for {len(table)} groups" in capsys.readouterr().err
    (cut,) = cuts.read(Path("data/pruned/toy"), Path("data/models/toy"), "evolved_50")
    assert cut.macs <= models.config(Path("data/models/toy"))["macs"] / 2


def test_pixels_of_test_and_val_images_do_not_enter(project):
    prune.main("toy")
    before = contents(project)
    images = prepared.read(project / "data/prepared")
    pixels = images.gather(np.arange(len(images.index)))
    pixels[16:22] = pixels[28:] = 0  # PARTS: val, and the last four are test
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    prune.main("toy")
    assert contents(project) == before
    pixels[22:28] = 0  # search_val
    prepared.write(project / "data/prepared", pixels.__getitem__, images.index)
    prune.main("toy")
    assert contents(project) != before


def _frozen(folder: Path) -> None:
    save(folder / "data/models/toy", small(trainable=["head"]), folds=1)


def _narrow(folder: Path) -> None:
    options = cells(stage(width=8, depth=1), stem=8)
    recipe = small(backbone="searched", backbone_options=options)
    save(folder / "data/models/toy", recipe, folds=1)


def _no_search_val(folder: Path) -> None:
    splits = artifacts.read_csv(folder / "data/splits.csv")
    splits["fold_0"] = splits["fold_0"].replace("search_val", "test")
    artifacts.write_csv(folder / "data/splits.csv", splits)


def _no_calibration(folder: Path) -> None:
    save(folder / "data/models/toy", small(calibration="temperature"), folds=1)


def _no_parent(folder: Path) -> None:
    (folder / "data/models/toy/config.json").unlink()


@pytest.mark.parametrize(
    ("change", "spoil", "message"),
    [
        ({}, _frozen, r"toy was trained with trainable \['head'\].* prune a run with trainable \[all\]"),
        ({}, _narrow, r"nothing to prune: of 2 groups of channels none has more than 8"),
        ({}, _no_search_val, r"search_val of fold 0 has 0 images.*split\.fractions\.search_val"),
        ({}, _no_calibration, r"calibration of fold 0 has 0 image.*split\.fractions\.calibration"),
        ({}, _no_parent, r"data/models/toy/config\.json is missing: run `dvc repro`"),
        ({"shares": [0.02]}, None, r"share 0\.02 can't be reached: .* ask for shares of at least 0\.\d+"),
        ({"shares": [1.0]}, None, r"the share 1 must be a whole number of per cent"),
        ({"shares": [0.3, 0.5]}, None, r"shares must fall, each above 0 and below 1"),
        ({"window": 1.5}, None, r"window must be above 0 and at most 1, not 1\.5"),
        ({"multiple": 0}, None, "multiple must be at least 1, not 0"),
        ({"encoding": "bits"}, None, r"encoding must be one of 'counts', 'mask', not 'bits'"),
        ({"fitness": "f1"}, None, r"fitness must be one of 'auroc', 'loss', 'distance', not 'f1'"),
        ({"worst_label": 2.0}, None, r"worst_label must be null or at least 0 and below 1, not 2\.0"),
        ({"population": 1, "survivors": None}, None, r"population must be at least 2, not 1"),
        ({"survivors": {"networks": 3, "samples": 8}}, None, r"fewer than the population of 3, not 3"),
        ({"contest": None}, None, r"contest must be a mapping, not None"),
        ({"contest": {"evolved": 0, "samples": 8}}, None, r"evolved must be at least 1, not 0"),
        ({"recalibration_images": 1}, None, r"recalibration_images must be at least 2, not 1"),
        ({"criterion": "magic"}, None, r"unknown pruning/criteria 'magic': known are bn_scale, fpgm, l1_norm"),
        ({"distillation": {"weight": 2.0, "temperature": 1.0}}, None, r"weight must be in \[0, 1\]"),
        ({"latency": {"file": "data/raw/none.json", "sha256": "0" * 64}}, None, r"data/raw/none\.json"),
    ],
)  # fmt: skip
def test_a_fault_is_told_and_leaves_nothing(tmp_path, monkeypatch, change, spoil, message):
    monkeypatch.chdir(make_project(tmp_path, **change))
    monkeypatch.setenv("CXR_WORKERS", "1")
    if spoil is not None:
        spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        prune.main("toy")
    assert contents(tmp_path) == {}
