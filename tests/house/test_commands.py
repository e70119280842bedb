"""What one types: help is quick, and README and CI name only targets that the Makefile has."""

from __future__ import annotations

import re
import resource
import subprocess
from collections.abc import Callable

import pytest

from tests.house import source

Python = Callable[..., subprocess.CompletedProcess[str]]
STAGES = [
    name[len("stages/") : -len(".py")]
    for name in source.modules("stages")
    if not name.startswith("stages/_")
]
HEAVY = ("torch", "numpy", "pandas", "cv2", "timm", "matplotlib", "sklearn", "great_expectations")
HELP = """
import runpy, sys
sys.argv = ["stage", "--help"]
try:
    runpy.run_module("stages.{stage}", run_name="__main__", alter_sys=True)
finally:
    print("loaded:", *[name for name in {heavy} if name in sys.modules])
"""


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("stage", STAGES)
def test_help_is_quick_and_loads_no_library(python: Python, stage: str) -> None:
    """Half a second of processor time, the restart into the exact profile included; best of 3."""
    done = python("-c", HELP.format(stage=stage, heavy=HEAVY), pinned=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\nloaded:\n"), done.stdout.splitlines()[-1]
    seconds = []
    for _ in range(3):
        before = _cpu_seconds()
        done = python("-m", f"stages.{stage}", "--help")
        seconds.append(_cpu_seconds() - before)
        assert done.stdout.startswith(f"usage: python -m stages.{stage} "), done.stderr
    assert min(seconds) <= 0.5


def _targets() -> dict[str, str]:
    """The Makefile's targets, each with the word behind `##`."""
    text = (source.ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z-]+):(?!=)[^#\n]*(?:## *(.*))?$", text, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "target",
    [
        *("setup", "repro", "test", "check", "study", "record"),
        *("data", "verify", "doctor", "clean", "help"),
    ],
)
def test_makefile_has_the_targets_of_the_house(target: str) -> None:
    assert target in _targets()


def test_every_target_is_told_by_help() -> None:
    assert [name for name, words in _targets().items() if not words] == []


@pytest.mark.parametrize("file", ["README.md", ".ci/run"])
def test_every_command_named_is_there(file: str) -> None:
    text = (source.ROOT / file).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`|&& |\n)\s*make ([a-z-]+)", text))
    assert named, f"{file} names no make target"
    assert sorted(named - set(_targets())) == []
    for module in set(re.findall(r"python -m ((?:stages|flows|cxr)\.[a-z_.]+)", text)):
        path = module.rstrip(".").replace(".", "/")
        found = [f"{path}.py", f"{path}/__main__.py"]
        assert any((source.ROOT / name).is_file() for name in found), f"{file}: python -m {module}"
