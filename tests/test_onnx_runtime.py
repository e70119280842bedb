"""onnxruntime leaves nothing in the user's folders, and nobody imports it past the module that sees to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.house import source


def test_importing_it_writes_no_file(tmp_path: Path) -> None:
    for name in ("home", "temporary", "cache"):
        (tmp_path / name).mkdir()
    places = {"HOME": "home", "TMPDIR": "temporary", "XDG_CACHE_HOME": "cache"}
    environment = {**os.environ, **{key: str(tmp_path / name) for key, name in places.items()}}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    words = "from cxr.onnx_runtime import onnxruntime as ort; ort.SessionOptions()"
    subprocess.run(
        [sys.executable, "-B", "-c", words], cwd=source.ROOT, env=environment, check=True
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_other_module_imports_it_first() -> None:
    past = [
        str(file)
        for file in source.modules("cxr", "stages")
        if str(file) != "cxr/onnx_runtime.py"
        and any(name == "onnxruntime" for name in source.imported(file))
    ]
    assert past == []
