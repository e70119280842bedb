"""The toy in the real pipeline's order: images are divided, networks trained and judged on val, then on test."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.flows import toy

_DIVIDED = """\
  split:
    cmd: python -m stages.split
    deps:
      - stages/split.py
      - data/source
    outs:
      - data/splits.csv
  transfer:
    matrix:
      run: ${transfer.runs}
    cmd: python -m stages.transfer ${item.run}
    deps:
      - stages/transfer.py
      - data/source
      - data/splits.csv
    params:
      - seed
    outs:
      - data/models/${item.run}
    metrics:
      - reports/transfer/${item.run}/metrics.json:
          cache: false
  evaluate:
    matrix:
      model: ${transfer.runs}
    cmd: python -m stages.evaluate ${item.model}
    deps:
      - stages/evaluate.py
      - data/models/${item.model}
      - data/splits.csv
    metrics:
      - reports/evaluate/${item.model}/metrics.json:
          cache: false
"""
_SOURCE, _COMPARE = (
    toy.DVC_YAML.split(f"  {word}:\n")[i] for word, i in (("fit", 0), ("compare", 1))
)
DVC_YAML = f"{_SOURCE}{_DIVIDED}  compare:\n{_COMPARE}"

SPLIT = """\
import pathlib
parts = {"b.png": "val,test", "a.png": "test,val", "c.png": "train,train", "é, d.png": "test,train"}
rows = "".join(f'"{name}",g,{parts[name]}\\n' for name in parts)
pathlib.Path("data/splits.csv").write_text("image,group,fold_0,fold_1\\n" + rows, encoding="utf-8")
"""
TEST = "a.png\nb.png\né, d.png\n"
"""The test images of SPLIT, sorted, a line each."""

TRANSFER = """\
import json, pathlib, sys
name = sys.argv[1]
text = "".join(path.read_text() for path in sorted(pathlib.Path("data/source").iterdir()))
model, report = pathlib.Path("data/models", name), pathlib.Path("reports/transfer", name)
for folder in (model, report):
    folder.mkdir(parents=True, exist_ok=True)
(model / "weights.txt").write_text(name + text)
numbers = {"best_epoch": 2.5, "folds": 2, "macs": 1200, "val_accuracy": 0.5, "val_auroc": len(name) / 10}
(report / "metrics.json").write_text(json.dumps(numbers))
"""

EVALUATE = """\
import json, pathlib, sys
name = sys.argv[1]
report = pathlib.Path("reports/evaluate", name)
report.mkdir(parents=True, exist_ok=True)
weights = pathlib.Path("data/models", name, "weights.txt").read_text()
numbers = {"model": name, "accuracy": {"value": len(weights) / 100}}
(report / "metrics.json").write_text(json.dumps(numbers))
"""


def make(root: Path) -> Path:
    """Make the toy in `root`, committed but not yet run."""
    toy.make(root)
    files = {"dvc.yaml": DVC_YAML, "stages/split.py": SPLIT}
    files |= {"stages/transfer.py": TRANSFER, "stages/evaluate.py": EVALUATE}
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    (root / "stages/fit.py").unlink()
    toy.commit(root)
    return root


def copy(root: Path, target: Path) -> Path:
    """Copy a toy, cache and git history included."""
    return Path(shutil.copytree(root, target, symlinks=True))
