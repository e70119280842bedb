"""What bench-prune lays out for the stages, and the steps that it has them run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from cxr import artifacts
from tests.bench import prune, prune_data, prune_steps
from tests.bench.prune_data import RUN, Size
from tests.pruning.parents import make

ROOT = Path(__file__).resolve().parents[2]
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
    with pytest.raises(ValueError, match=r"w\.safetensors is missing: training starts from it"):
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
