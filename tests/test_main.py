"""`python -m cxr`: a table or JSON, an exit code that tells, and nothing heavy until it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cxr import __main__ as cxr
from tests.answering import exported
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported.make(tmp_path_factory.mktemp("exported") / "drawn", data_sets=("phantom",))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        content = exported.png(exported.chests()[60 + number])
        (tmp_path / f"pictures/{number}.png").write_bytes(content)
    return tmp_path / "pictures"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cxr", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_table_of_what_a_phantoms_model_says_in_a_demonstration(model: Path, pictures: Path) -> None:  # fmt: skip
    done = run("predict", model, pictures, "--demo")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("drawn, sha256 ") and "of no patient" in lines[2]
    assert lines[4].split() == ["file", "a", "b", "c", "strangeness"] and len(lines) == 8
    assert all(len(line) == len(lines[4]) for line in lines[5:])
    refused = run("predict", model, pictures)
    assert refused.returncode == 0
    assert refused.stdout.count("refused: This model learned from phantoms") == 3


def test_a_broken_file_fails_the_command_but_not_the_others(
    model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "1.png").write_bytes(b"broken")
    words = ["predict", str(model), str(pictures), str(pictures / "nothing"), "--demo", "--json"]
    assert cxr.main(words) == 1
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [Path(one["file"]).name for one in found] == ["0.png", "1.png", "2.png"]
    assert [one["error"] is None for one in found] == [True, False, True]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert "nothing is missing" in said.err and "1 of 3 files could not be read" in said.err


def test_overlays_are_written(model: Path, pictures: Path, tmp_path: Path) -> None:
    words = ["predict", str(model), str(pictures), "--demo", "--overlays", str(tmp_path / "drawn/here")]  # fmt: skip
    assert cxr.main(words) == 0
    names = sorted(path.name for path in (tmp_path / "drawn/here").iterdir())
    assert [name.split(".png-")[0] for name in names] == ["000000-0", "000001-1", "000002-2"]


def test_what_is_no_model_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert cxr.main(["predict", str(tmp_path), "x.png"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/metadata.json is missing")


def test_the_models_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(ROOT)
    assert cxr.main(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert cxr.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found) + 1 and all(one["name"] in "".join(lines) for one in found)


def test_help_loads_no_library() -> None:
    code = (
        "import sys; from cxr import __main__ as cxr\n"
        "try:\n    cxr.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('loaded', [name for name in ('numpy', 'cv2', 'onnxruntime', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.endswith("loaded []\n")
    assert all(word in done.stdout for word in ("predict", "models", "serve"))
