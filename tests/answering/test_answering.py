"""The package as a stranger uses it: soon ready, without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.answering import exported
from tests.conftest import ROOT


def test_it_loads_no_torch_and_answers_soon(tmp_path: Path, folder: Path) -> None:
    """A second of processor time from the start to the first answer, decoding included; best of 3."""
    path = tmp_path / "picture.png"
    path.write_bytes(exported.png(exported.chests()[0]))
    code = (
        "import sys, pathlib; from cxr import answering;"
        "model = answering.open_model(pathlib.Path(sys.argv[1]));"
        "picture = model.prepare(pathlib.Path(sys.argv[2]).read_bytes(), 'p');"
        "print(model.answer(picture[None]).probabilities.shape);"
        "heavy = {'torch', 'timm', 'torchvision', 'pandas', 'pydicom', 'onnx', 'scipy', 'flows', 'joblib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    seconds = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-c", code, folder, path], cwd=ROOT, check=True, text=True,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert done.stdout == "(1, 3)\n[]\n"
    assert min(seconds) <= 1.0
