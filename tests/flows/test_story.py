"""Two months of a hospital that nobody looks after, on phantom images through the real pipeline.

About 5 minutes on two cores: three networks are trained, two arrivals are turned away before that.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows import ledger, pipeline, registry, rollback, trial, turns
from flows.trial import Wanted
from tests import arrivals
from tests.flows import arriving, deployed, toy

NAME, ROOT = "story", toy.ROOT
STUDY = """\
base: hospital
phantom: {patients: 8, image_px: 64} # not used, but its stage runs
preprocess:
  steps:
    - {name: resize, size_px: 64, fit: pad}
transfer:
  recipes:
    small: {epochs: 8, batch_size: 16}
gate: # few patients: only what is far worse is shown to be worse
  margin_auroc: 0.05
  floor_auroc: 0.5
  min_patients: 3
  classes: {floor_auroc: null, margin_auroc: null, margin_sensitivity: null}
  sources: {floor_auroc: null, margin_auroc: null, margin_sensitivity: null}
  calibration: {margin_ece: null, margin_brier: null}
  bootstrap_samples: 500
"""
KEPT = (
    "cxr/",
    "stages/",
    "flows/",
    "studies/hospital/study.yaml",
    "studies/defaults.yaml",
    ".dvc/",
)
FILES = ("dvc.yaml", "numerics.lock", "requirements.lock", ".gitignore", ".dvcignore")


def make(folder: Path) -> Path:
    """Make the hospital's clone with its remotes and an inbox; return the clone."""
    clone = folder / "a clone"
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in toy.git(ROOT, *words).split("\0"):
        kept = name.startswith(KEPT) or name.endswith(".gitkeep") or name in FILES
        if kept and (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
    (clone / "studies" / NAME).mkdir()
    (clone / "studies" / NAME / "study.yaml").write_text(STUDY)
    for name in ("storage", "inbox"):
        (folder / name).mkdir()
    with (clone / ".dvc/config").open("a") as file:
        file.write(f"['remote \"storage\"']\n    url = {folder}/storage\n")
    toy.git(clone, "init", "-q", "-b", "main")
    for command in (("-m", "dvc", "remote", "default", "storage"), ("-m", "flows.study", NAME)):
        said = toy.python(clone, *command)
        assert said.returncode == 0, said.stderr
    toy.commit(clone, "code")
    toy.git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    toy.git(clone, "remote", "add", "origin", "../origin.git")
    toy.git(clone, "push", "-q", "origin", "main")
    return clone


def retrain(clone: Path) -> list[ledger.Row]:
    """Deal with the inbox in this process."""
    wanted = Wanted(inbox=clone.parent / "inbox", study=NAME, settle_s=0)
    return turns.work(wanted, trial.plain(), root=clone)


def start(clone: Path, home: str) -> subprocess.Popen[str]:
    """Start the command as a person does, with a Prefect of its own."""
    words = ("--inbox", "../inbox", "--study", NAME, "--settle-s", "0")
    return subprocess.Popen(
        [sys.executable, "-m", "flows.retrain", *words], cwd=clone, text=True,
        env={**os.environ, "PREFECT_HOME": str(clone.parent / home)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def arrive(clone: Path, name: str, **how: object) -> Path:
    """Put phantoms into the inbox, whole at once."""
    folder = clone.parent / "inbox" / f".{name}"
    arrivals.write(folder, **how)  # type: ignore[arg-type]
    return folder.rename(folder.with_name(name))


def leak(clone: Path) -> None:
    """Send the images that models are judged on once more, under other names and of other patients."""
    folder = clone.parent / "inbox" / ".leak"
    (folder / "images").mkdir(parents=True)
    lines = ["path,label,patient"]
    text = toy.git(clone, "show", f"origin/main:studies/{NAME}/acceptance.csv")
    for place, row in enumerate(csv.DictReader(text.splitlines())):
        label = next(key for key, value in row.items() if key.startswith("label:") and float(value))
        arrival, inside = row["image"].split("/", 2)[1:]
        (source,) = (clone.parent / "taken").glob(f"{arrival}-*/{inside}")
        shutil.copy(source, folder / f"images/{place}.png")
        lines.append(f"images/{place}.png,{label.removeprefix('label:')},new{place // 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    folder.rename(folder.with_name("leak"))


def live(clone: Path) -> str:
    """Return the number of the version that is prod."""
    version = registry.production(NAME, clone)
    assert version is not None
    return version.number


def exported(clone: Path, number: str) -> str:
    """Return DVC's MD5 of a version's exported model, as its commit has it."""
    version = next(x for x in registry.versions(NAME, clone) if x.number == number)
    return registry.content(version, clone)["data/exported/small"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_months(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = make(tmp_path / "hospital")
    home = clone.parent
    (clone / "mine.txt").write_text("a person works here")
    before = arriving.state(clone)

    arrive(clone, "january", seed=1, patients=60)
    (row,) = retrain(clone)
    assert arriving.outcomes([row]) == [("january", "promoted", "v1.0.0")], row
    arrive(clone, "february", seed=2, patients=60)
    (row,) = retrain(clone)
    assert arriving.outcomes([row]) == [("february", "promoted", "v1.1.0")], row
    verdict = json.loads(toy.git(clone, "show", "origin/main:reports/gate/verdict.json"))
    assert verdict["champion"] == "story@v1.0.0" and verdict["acceptance"]["openings"] == 2

    arrive(clone, "again", seed=2, patients=60)
    pushed = deployed.refs(clone)
    assert retrain(clone) == [] and deployed.refs(clone) == pushed

    broken = sorted(arrive(clone, "broken", seed=3, patients=6).glob("images/*.png"))[0]
    broken.write_bytes(broken.read_bytes()[:200])
    (row,) = retrain(clone)
    assert row["outcome"] == "quarantined" and "unreadable" in row["reason"], row
    (table,) = (home / "quarantined").glob("broken-*.findings.csv")
    assert f"table/broken/images/{broken.name}" in table.read_text()

    arrive(clone, "wrong", seed=4, patients=240, noise=1.0)
    leak(clone)
    programs = [start(clone, f"prefect {number}") for number in range(2)]
    said = [program.communicate() for program in programs]
    assert [program.returncode for program in programs] == [0, 0], said
    wrong, leaked = ledger.at("origin/main", root=clone)[-2:]
    assert (wrong["arrival"], wrong["outcome"]) == ("wrong", "rejected"), wrong
    assert (leaked["arrival"], leaked["outcome"]) == ("leak", "quarantined"), leaked
    assert "arrival_leaks" in leaked["reason"] and wrong["opened"] == "yes", leaked
    (found,) = (home / "rejected").glob("wrong-*.verdict.json")
    rule = json.loads(found.read_text())["rules"]["macro AUROC: margin"]
    assert rule["passed"] == "no" and rule["high"] < rule["bound"] == -0.05
    assert "macro AUROC: margin: shown to be more than 0.05 below the champion's" in wrong["reason"]
    assert sorted(path.name.split("-")[0] for path in (home / "taken").iterdir()) == [
        "again", "february", "january",
    ]  # fmt: skip
    assert list((home / "inbox").iterdir()) == []

    assert live(clone) == "v1.1.0"
    assert "is prod now" in rollback.roll_back(NAME, "v1.0.0", root=clone)
    assert live(clone) == "v1.0.0" and exported(clone, "v1.0.0") != exported(clone, "v1.1.0")
    assert arriving.state(clone) == before
    arriving.check_tags_have_data(clone)

    toy.git(tmp_path, "clone", "-q", "hospital/origin.git", "elsewhere")
    words = ("-m", "flows.registry", "--fetch", NAME, "--to", "../model")
    done = toy.python(tmp_path / "elsewhere", *words)
    assert done.returncode == 0, done.stderr
    assert hashes(tmp_path / "model") == pipeline.listing(clone, exported(clone, "v1.0.0"))


def hashes(folder: Path) -> dict[str, str]:
    """Return {path inside: MD5} of a folder's files."""
    return {
        path.relative_to(folder).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
