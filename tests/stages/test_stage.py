"""What every stage's command line does: one result line, one clear line on failure, help."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cxr import artifacts
from stages import _stage


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A part of it."""

    size_px: int
    """side of an image"""


@dataclass(frozen=True, kw_only=True)
class Params:
    """What a toy needs."""

    settings: Inner
    """nested"""

    def side_px(self) -> int:
        """Code, which no help should print."""
        return self.settings.size_px


def make() -> str:
    return "12 images"


def make_one(dataset: str) -> str:
    return f"read {dataset}"


def make_two(run: str, cut: str) -> str:
    return f"{run} at {cut}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["toy"])
    monkeypatch.delenv("CXR_TRACEBACK", raising=False)
    return tmp_path


def fail(error: Exception) -> Callable[[], str]:
    def main() -> str:
        raise error

    main.__module__ = __name__
    return main


def test_a_stage_prints_one_result_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _stage.run("toy", make, Params)
    out, err = capsys.readouterr()
    assert out.startswith("toy: 12 images (0.") and out.endswith(" s)\n")
    assert out.count("\n") == 1
    assert err == ""


def test_durations_go_to_the_host_folder_only(here: Path) -> None:
    _stage.run("toy", make, Params)
    assert [path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()] == [
        "reports/host/toy.json"
    ]
    assert sorted(json.loads((here / "reports/host/toy.json").read_text())) == ["cpus", "seconds"]


def test_a_host_folder_that_cannot_be_made_is_no_reason_to_fail(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "reports").write_text("a file in the way")
    _stage.run("toy", make, Params)
    assert capsys.readouterr().out.startswith("toy: 12 images")


def test_an_item_reaches_the_stage_by_name(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["toy", "phantom"])
    _stage.run("toy", make_one, None, item="dataset")
    assert capsys.readouterr().out.startswith("toy@phantom: read phantom (")


def test_an_item_of_two_names_is_called_as_dvc_calls_it(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["toy", "net", "uniform_50"])
    _stage.run("toy", make_two, None, item=("run", "cut"))
    assert capsys.readouterr().out.startswith("toy@net-uniform_50: net at uniform_50 (")
    assert (here / "reports/host/toy@net-uniform_50.json").is_file()
    monkeypatch.setattr(sys, "argv", ["toy", "net"])
    with pytest.raises(SystemExit) as ended:
        _stage.run("toy", make_two, None, item=("run", "cut"))
    assert ended.value.code == 2
    assert "the following arguments are required: cut" in capsys.readouterr().err


def test_show_prints_and_runs_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["toy", "phantom", "--show"])
    _stage.run(
        "toy", fail(ValueError("ran")), None, item="dataset", show=lambda x: f"{x}: two\nlines"
    )
    assert capsys.readouterr() == ("phantom: two\nlines\n", "")
    assert not (here / "reports").exists()
    with pytest.raises(SystemExit):
        _stage.run("toy", make_one, None, item="dataset")  # a stage that has nothing to show


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--size", "3"]])
def test_wrong_words_are_refused(
    here: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["toy", *words])
    with pytest.raises(SystemExit) as ended:
        _stage.run("toy", make_one, None, item="dataset")
    assert ended.value.code == 2
    assert "python -m stages.toy: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("split.folds must be above 0"), "split.folds must be above 0"),
        (
            OSError(28, "No space left on device", "data/a.npy"),
            "data/a.npy: No space left on device; free space on that disk and run again",
        ),
        (
            OSError(28, "No space left on device"),
            "no space left on the disk; free some and run again",
        ),
        (
            PermissionError(13, "Permission denied", "data"),
            "data: Permission denied; make it readable and writable for this user and run again",
        ),
        (
            OSError(30, "Read-only file system", "data/a"),
            "data/a: Read-only file system; it lies on a read-only disk: make it writable and run again",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "data/manifest.csv"),
            "data/manifest.csv: No such file or directory; run the stage that makes it, or `make repro`",
        ),
        (OSError("a fault of its own"), "a fault of its own"),
    ],
)
def test_an_expected_error_is_one_line_with_the_cure(
    here: Path, capsys: pytest.CaptureFixture[str], error: Exception, line: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        _stage.run("toy", fail(error), Params)
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", f"toy: error: {line}\n")
    assert not (here / "reports").exists()


def test_a_bug_keeps_its_traceback(here: Path) -> None:
    with pytest.raises(KeyError, match="a bug"):
        _stage.run("toy", fail(KeyError("a bug")), Params)


def test_a_traceback_can_be_asked_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_TRACEBACK", "1")
    with pytest.raises(ValueError, match="a fault"):
        _stage.run("toy", fail(ValueError("a fault")), Params)


def test_a_full_disk_is_one_line_with_the_cure(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiny_disk)
    monkeypatch.setattr(sys, "argv", ["toy"])

    def main() -> str:
        artifacts.write_bytes(Path("data/a.bin"), bytes(200_000))
        return "written"

    with pytest.raises(SystemExit) as ended:
        _stage.run("toy", main, None)
    assert ended.value.code == 1
    assert capsys.readouterr().err == (
        "toy: error: data/a.bin: No space left on device; free space on that disk and run again\n"
    )
    assert [path.name for path in tiny_disk.rglob("*")] == ["data"]


def test_help_tells_what_the_stage_does_and_its_parameters(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["toy", "--help"])
    with pytest.raises(SystemExit) as ended:
        _stage.run("toy", make, Params)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m stages.toy [-h]\n")
    assert "What every stage's command line does" in out
    assert "parameters (params.yaml, section toy):" in out
    assert "  settings: Inner  nested\n    size_px: int  side of an image\n" in out
    assert "return" not in out
