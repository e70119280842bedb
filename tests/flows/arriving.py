"""A toy hospital that retrains: a clone, its remotes, an inbox, and a pipeline whose images are numbers.

An image's number is how much can be learned from it: a model is as good as the mean of its training
images, and the gate lets it in unless it is worse than the champion. Layout as in tests/flows/deployed.py.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows import ledger, pipeline, study, trial, turns
from flows.ledger import Row
from flows.trial import Hands, Wanted
from tests.flows import deployed, toy

NAME = "toy"

DVC_YAML = """\
stages:
  validate:
    cmd: python -m stages.validate
    deps:
      - stages/validate.py
      - data/raw/table
    params:
      - validate
    outs:
      - data/manifest.csv
    metrics:
      - reports/validate/summary.json:
          cache: false
    plots:
      - reports/validate/plots:
          cache: false
  split:
    cmd: python -m stages.split
    deps:
      - stages/split.py
      - data/manifest.csv
    params:
      - split
    outs:
      - data/splits.csv
  transfer:
    matrix:
      run: ${transfer.runs}
    cmd: python -m stages.transfer ${item.run}
    deps:
      - stages/transfer.py
      - data/raw/table
      - data/manifest.csv
      - data/splits.csv
    params:
      - seed
    outs:
      - data/models/${item.run}
      - data/exported/${item.run}
    metrics:
      - reports/evaluate/${item.run}/metrics.json:
          cache: false
      - reports/export/${item.run}/metrics.json:
          cache: false
    plots:
      - reports/evaluate/${item.run}/plots:
          cache: false
  gate:
    matrix:
      model: ${gate.models}
    cmd: python -m stages.gate ${item.model}
    deps:
      - stages/gate.py
      - data/champion
      - data/manifest.csv
      - reports/evaluate/${item.model}/plots
    metrics:
      - reports/gate/verdict.json:
          cache: false
"""

PREFLIGHT = """\
import argparse, hashlib, json, pathlib, sys
parser = argparse.ArgumentParser()
for word in ("--check", "--json"):
    parser.add_argument(word, action="store_true")
parser.add_argument("--dataset")
parser.add_argument("--folder", type=pathlib.Path)
asked = parser.parse_args()
if asked.dataset:
    tables = sorted(asked.folder.rglob("labels.csv"))
    if not tables:
        sys.exit(f"error: {asked.folder} has no labels.csv")
    text = "".join(table.read_text() for table in tables)
    digest = hashlib.sha256(text.encode()).hexdigest()
    print(json.dumps({"words": f"{len(text.splitlines())} lines", "digest": digest}))
elif not pathlib.Path("data/champion/about.json").exists():
    sys.exit("error: data/champion/about.json is missing")
"""

VALIDATE = """\
import csv, hashlib, json, pathlib, sys, yaml
arrival = yaml.safe_load(pathlib.Path("params.yaml").read_text())["validate"]["arrival"]
assert arrival is None or pathlib.Path("data/raw", arrival).is_dir(), arrival
rows, faults = [], []
for table in sorted(pathlib.Path("data/raw/table").rglob("labels.csv")):
    for row in csv.DictReader(table.open()):
        path = table.parent / row["path"]
        name = path.relative_to("data/raw").as_posix()
        text = path.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        rows.append([name, digest, row["label"]])
        if not text.strip().isdigit():
            faults.append(["unreadable", "critical", name, text.strip()])
def write(path, rows):
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\\n").writerows(rows)
write("data/manifest.csv", [["image", "sha256", "label:sick"], *sorted(rows)])
write("reports/validate/plots/findings.csv", [["finding", "severity", "image", "detail"], *faults])
gate = "stopped" if faults else "passed"
pathlib.Path("reports/validate/summary.json").write_text(json.dumps({"gate": gate}))
if faults:
    sys.exit(f"validate: error: {len(faults)} critical findings, first {faults[0][2]}")
"""

SPLIT = """\
import csv, hashlib, pathlib, yaml
asked = yaml.safe_load(pathlib.Path("params.yaml").read_text())["split"]
images = [row["image"] for row in csv.DictReader(open("data/manifest.csv"))]
old = {}
if asked["assignments"]:
    content = pathlib.Path(asked["assignments"]["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == asked["assignments"]["sha256"]
    old = {row["image"]: row["fold_0"] for row in csv.DictReader(content.decode().splitlines())}
def part(image):
    if image in old:
        return old[image]
    test = int(hashlib.sha256(image.encode()).hexdigest(), 16) % 3 == 0
    return "test" if test and not (old and "test" in asked["frozen"]) else "train"
with open("data/splits.csv", "w", newline="") as file:
    rows = [[image, image, part(image)] for image in images]
    csv.writer(file, lineterminator="\\n").writerows([["image", "group", "fold_0"], *rows])
"""

TRANSFER = """\
import csv, json, pathlib, sys
name = sys.argv[1]
parts = {row["image"]: row["fold_0"] for row in csv.DictReader(open("data/splits.csv"))}
learned = [int(pathlib.Path("data/raw", x).read_text()) for x in parts if parts[x] == "train"]
good = round(sum(learned) / len(learned), 3)
if good == 13:
    raise RuntimeError("thirteen")
def write(path, text):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
write(f"data/models/{name}/weights.txt", str(good))
write(f"data/exported/{name}/model.onnx", f"onnx {good}")
write(f"reports/evaluate/{name}/metrics.json", json.dumps({"good": good}))
write(f"reports/export/{name}/metrics.json", json.dumps({"onnx_bytes": 9}))
lines = [f"{image},{good}" for image in parts if parts[image] == "test"]
write(f"reports/evaluate/{name}/plots/predictions.csv", "\\n".join(["image,score", *lines]) + "\\n")
"""

GATE = """\
import csv, json, pathlib, sys
def scores(path):
    return {row["image"]: float(row["score"]) for row in csv.DictReader(open(path))}
name, folder = sys.argv[1], pathlib.Path("data/champion")
about = json.loads((folder / "about.json").read_text())
listed = [row["image"] for row in csv.DictReader((folder / "acceptance.csv").open())]
ours = scores(f"reports/evaluate/{name}/plots/predictions.csv")
theirs = scores(folder / "predictions.csv") if about["version"] else dict.fromkeys(listed, 0)
gained = sum(ours[x] - theirs[x] for x in listed) / len(listed)
verdict = "reject" if gained < 0 else "undecided" if gained == 0 else "promote"
found = {"verdict": verdict, "promote": gained > 0, "champion": about["version"],
         "reasons": [f"good: {gained:+.1f}"] if gained <= 0 else [],
         "warnings": [f"opening {about['openings']}"]}
pathlib.Path("reports/gate").mkdir(parents=True, exist_ok=True)
pathlib.Path("reports/gate/verdict.json").write_text(json.dumps(found))
"""

DEFAULTS = """\
seed: 7
ingest:
  datasets: [table]
validate:
  arrival: null
split:
  assignments: null
  frozen: [test]
transfer:
  runs: [net]
export:
  models: [net]
gate:
  models: [net]
"""


def make(folder: Path) -> Path:
    """Make clone, bare repository, DVC remote and inbox in `folder`; return the clone: code, no data yet."""
    clone = toy.make(folder / "a clone")
    for name in ("source", "fit", "compare"):
        (clone / f"stages/{name}.py").unlink()
    files = {
        "dvc.yaml": DVC_YAML,
        "stages/__main__.py": PREFLIGHT,
        "stages/validate.py": VALIDATE,
        "stages/split.py": SPLIT,
        "stages/transfer.py": TRANSFER,
        "stages/gate.py": GATE,
        "studies/defaults.yaml": DEFAULTS,
        "studies/toy/study.yaml": "about: a toy\n",
    }
    for name, text in files.items():
        (clone / name).write_text(text)
    said = toy.python(clone, "-m", "flows.study", NAME)
    assert said.returncode == 0, said.stderr
    (folder / "storage").mkdir()
    (folder / "inbox").mkdir()
    with (clone / ".dvc/config").open("a") as file:
        file.write("['remote \"storage\"']\n    url = ../../storage\n")
    toy.python(clone, "-m", "dvc", "remote", "default", "storage")
    toy.commit(clone, "code")
    toy.git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    toy.git(clone, "remote", "add", "origin", "../origin.git")
    toy.git(clone, "push", "-q", "origin", "main")
    return clone


def arrive(clone: Path, name: str, numbers: Sequence[object]) -> Path:
    """Put an arrival of so many images into the inbox, whole at once; return it."""
    inbox = clone.parent / "inbox"
    folder = inbox / f".{name}"
    (folder / "images").mkdir(parents=True)
    lines = ["path,label"]
    for place, number in enumerate(numbers):
        (folder / f"images/{place}.png").write_text(f"{number}\n")
        lines.append(f"images/{place}.png,{place % 2}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder.rename(inbox / name)


def wanted(clone: Path, **more: object) -> Wanted:
    """Return what is asked of a retraining of the toy."""
    asked = {"inbox": clone.parent / "inbox", "study": NAME, "settle_s": 0, **more}
    return Wanted.model_validate(asked)


def retrain(clone: Path, hands: Hands | None = None, **more: object) -> list[Row]:
    """Deal with the toy's inbox in this process, without Prefect; return the new lines."""
    return turns.work(wanted(clone, **more), hands or trial.plain(), root=clone)


def outcomes(rows: Sequence[Row]) -> list[tuple[str, str, str]]:
    """Return arrival, outcome and version of each line."""
    return [(row["arrival"], row["outcome"], row["version"]) for row in rows]


def lines(clone: Path) -> list[tuple[str, str, str]]:
    """Return `outcomes` of the ledger on the remote."""
    toy.git(clone, "fetch", "-q", "origin")
    return outcomes(ledger.at("origin/main", root=clone))


def start(clone: Path) -> subprocess.Popen[str]:
    """Start a retraining of the toy in a process and process group of its own."""
    code = (
        "from pathlib import Path; from flows import command, trial, turns;"
        "w = trial.Wanted(inbox=Path('../inbox'), study='toy', settle_s=0)\n"
        "with command.telling(interrupted='x'): turns.work(w, trial.plain())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=clone, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def state(clone: Path) -> dict[str, str]:
    """Return what must stay as it is in a person's clone: files, HEAD, branches."""
    words = {
        "status": ("status", "--porcelain", "--untracked-files=all"),
        "head": ("rev-parse", "HEAD"),
        "branch": ("symbolic-ref", "HEAD"),
        "branches": ("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"),
        "index": ("ls-files", "--stage"),
        "stash": ("stash", "list"),
    }
    found = {name: toy.git(clone, *question) for name, question in words.items()}
    for path in sorted(clone.iterdir()):
        if path.is_file():
            found[path.name] = path.read_text()
    found["data"] = "\n".join(sorted(str(path) for path in (clone / "data").rglob("*")))
    return found


def check_tags_have_data(clone: Path) -> None:
    """Fail unless all that a tagged commit's lock file and pointers name lies whole on the DVC remote."""
    bare, objects = clone.parent / "origin.git", deployed.stored(clone)
    for md5, path in objects.items():
        assert hashlib.md5(path.read_bytes()).hexdigest() == md5.removesuffix(".dir")
    for tag in deployed.tags(clone):
        names = toy.git(bare, "ls-tree", "-r", "--name-only", tag).splitlines()
        outs = [
            out
            for entry in pipeline.parse_lock(toy.git(bare, "show", f"{tag}:dvc.lock")).values()
            for out in entry["outs"]
            if out["path"].startswith("data/")
        ]
        for name in names:
            if name.endswith(".dvc"):
                outs += study.parse(toy.git(bare, "show", f"{tag}:{name}"))["outs"]
        assert len(outs) >= 6, tag
        for out in outs:
            assert out["md5"] in objects, (tag, out["path"])
            listed = json.loads(objects[out["md5"]].read_text()) if "nfiles" in out else []
            assert not [file for file in listed if file["md5"] not in objects], (tag, out["path"])
