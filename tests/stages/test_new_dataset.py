"""Adding a data set is one file in cxr/datasets and its name in params.yaml."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from cxr import prepared
from flows import study

ROOT = Path(__file__).resolve().parents[2]
READER = '''
"""mine: two classes told by the first letter of the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cxr import archives, images
from cxr.datasets._source import Source

SOURCE = Source(title="mine", url="", citation="", licence="CC0-1.0", redistributable=True,
                images={}, sha256={}, hint="draw it")


def read(root: Path) -> pd.DataFrame:
    names = [name for name in archives.members(root) if images.is_image(name)]
    table = pd.DataFrame({"image": names, "source": "here"})
    table["patient"] = [Path(name).stem[1:] for name in names]
    table = table.assign(view="", age_years=np.nan, sex="", given_split="")
    for letter in "ab":
        table[f"label:{letter}"] = [float(Path(name).name.startswith(letter)) for name in names]
    return table
'''


def test_one_file_and_its_name_bring_a_data_set_to_prepared(tmp_path):
    from tests.intake import pictures

    for name in ("cxr", "stages", "studies", "numerics.lock"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    (tmp_path / "cxr/datasets/mine.py").write_text(READER)
    text = study.compose("phantom")
    text["ingest"]["datasets"] = ["mine"]
    text["merge"]["labels"] = {"a": ["a"], "b": ["b"]}
    text["validate"]["accepted"] = {}
    artifact = tmp_path / "params.yaml"
    import json

    artifact.write_text(json.dumps(text))
    raw = tmp_path / "data/raw/mine"
    raw.mkdir(parents=True)
    for i in range(40):
        (raw / f"{'ab'[i % 2]}{i:03d}.png").write_bytes(pictures.png(i, size_px=32))
    for words in (["stages", "--check"], ["stages.ingest", "mine"],
                  *(["stages." + name] for name in ("merge", "validate", "split", "preprocess"))):  # fmt: skip
        done = subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert len(prepared.read(tmp_path / "data/prepared").index) == 40
