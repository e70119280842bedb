"""A toy pipeline in git and DVC, small enough to run in seconds, with the shape of the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

DVC_YAML = """\
stages:
  source:
    cmd: python -m stages.source
    deps:
      - stages/source.py
    params:
      - seed
    outs:
      - data/source
  fit:
    matrix:
      run: ${transfer.runs}
    cmd: python -m stages.fit ${item.run}
    deps:
      - stages/fit.py
      - data/source
    params:
      - seed
    outs:
      - data/models/${item.run}
    metrics:
      - reports/evaluate/${item.run}/metrics.json:
          cache: false
  compare:
    cmd: python -m stages.compare
    deps:
      - stages/compare.py
      - reports/evaluate
    params:
      - transfer.runs
    metrics:
      - reports/compare/metrics.json:
          cache: false
    plots:
      - reports/index.html:
          cache: false
"""

SOURCE = """\
import pathlib, yaml
folder = pathlib.Path("data/source")
folder.mkdir(parents=True, exist_ok=True)
seed = yaml.safe_load(pathlib.Path("params.yaml").read_text())["seed"]
for name in ("a", "b"):
    (folder / f"{name}.txt").write_text(f"{name} {seed}")
"""

FIT = """\
import json, pathlib, sys, time
name = sys.argv[1]
text = "".join(path.read_text() for path in sorted(pathlib.Path("data/source").iterdir()))
model = pathlib.Path("data/models") / name
model.mkdir(parents=True, exist_ok=True)
(model / "config.json").write_text(json.dumps({"name": name}))
(model / "weights.txt").write_text(name + text)
report = pathlib.Path("reports/evaluate") / name
report.mkdir(parents=True, exist_ok=True)
numbers = {"model": name, "accuracy": {"value": len(name) / 10, "low": 0.1, "high": 0.9}}
(report / "metrics.json").write_text(json.dumps(numbers))
"""

# The same, with one number from numpy's global generator, which nobody seeded.
FIT_GLOBAL = FIT.replace("import json", "import numpy as np\nimport json").replace(
    "write_text(name + text)", "write_text(name + text + str(np.random.rand()))"
)

COMPARE = """\
import json, pathlib, yaml
runs = yaml.safe_load(pathlib.Path("params.yaml").read_text())["transfer"]["runs"]
table = {}
for run in runs:
    found = json.loads(pathlib.Path("reports/evaluate", run, "metrics.json").read_text())
    table[run] = {"accuracy": found["accuracy"]["value"]}
pathlib.Path("reports/compare").mkdir(parents=True, exist_ok=True)
pathlib.Path("reports/compare/metrics.json").write_text(json.dumps(table))
pathlib.Path("reports/index.html").write_text("<p>" + json.dumps(table))
"""

DEFAULTS = """\
seed: 7 # the seed
ingest:
  datasets: []
transfer:
  runs: []
  recipes:
    "*":
      epochs: 2
"""

STUDY = """\
about: a toy
transfer:
  runs: [left, right]
  recipes: {left: {}, right: {epochs: 3}}
"""


def git(root: Path, *arguments: str) -> str:
    """Run git in `root` under a name of its own."""
    identity = ("-c", "user.name=Toy", "-c", "user.email=toy@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def python(root: Path, *arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    """Run `python <arguments>` in `root` and return what it said."""
    environment = {**os.environ, "DVC_SITE_CACHE_DIR": str(root.parent / "site"), **options}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def make(root: Path, *, fit: str = FIT) -> Path:
    """Make the toy in `root`, not yet run and not yet committed."""
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "flows", root / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", root / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    for name in (".dvcignore", ".gitignore", "requirements.lock"):
        shutil.copy(ROOT / name, root / name)
    files = {
        "dvc.yaml": DVC_YAML,
        "stages/__init__.py": "",
        "stages/__main__.py": "print('preflight')\n",
        "stages/source.py": SOURCE,
        "stages/fit.py": fit,
        "stages/compare.py": COMPARE,
        "studies/defaults.yaml": DEFAULTS,
        "studies/toy/study.yaml": STUDY,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    said = python(root, "-m", "flows.study", "toy")
    assert said.returncode == 0, said.stderr
    return root


def commit(root: Path, words: str = "a commit") -> str:
    """Commit everything that git sees and return the commit."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", words)
    return git(root, "rev-parse", "HEAD").strip()


def run(root: Path) -> Path:
    """Run the toy's pipeline as `make repro` does."""
    said = python(root, "-m", "flows.pipeline")
    assert said.returncode == 0, said.stdout + said.stderr
    return root
