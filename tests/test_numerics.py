"""The exact profile repeats the bytes everywhere; negative controls show that the tests could tell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cxr import numerics, workers
from tests import probe

Python = Callable[..., subprocess.CompletedProcess[str]]
STEPS = 6


def _has_avx512() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "avx512f" in cpuinfo.read_text(encoding="utf-8")


needs_avx512 = pytest.mark.skipif(
    not _has_avx512(), reason="NOT TESTED: without AVX-512 a pin left out can't change the kernels"
)


def _without(*pins: str) -> dict[str, str]:
    return {name: value for name, value in numerics.PINS.items() if name not in pins}


@pytest.fixture(scope="module")
def measured(python: Python, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What the probe prints under each condition, two processes at a time."""
    spaced = tmp_path_factory.mktemp("a folder with spaces")
    abroad = {"LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Asia/Tokyo"}
    one_core = ("taskset", "-c", "0") if shutil.which("taskset") else ()
    conditions: dict[str, tuple[list[str], dict[str, object]]] = {
        "exact": (["exact"], {}),
        "again": (["exact"], {}),
        "one core": (["exact"], {"prefix": one_core}),
        "abroad": (["exact"], {"cwd": spaced, "env": abroad, "umask": 0o077}),
        "two threads": (["as-is", "threads=2"], {"env": numerics.PINS}),
        "global generator": (["as-is", "global-generator"], {"env": numerics.PINS}),
        "no oneDNN pin": (["as-is"], {"env": _without("ONEDNN_MAX_CPU_ISA")}),
        "no MKL pin": (["as-is"], {"env": _without("MKL_CBWR")}),
        "no OpenBLAS pin": (["as-is"], {"env": _without("OPENBLAS_CORETYPE")}),
        "no numpy pin": (["as-is"], {"env": _without("NPY_DISABLE_CPU_FEATURES")}),
    }

    def measure(condition: tuple[list[str], dict[str, object]]) -> dict[str, str]:
        words, options = condition
        done = python("-m", "tests.probe", *words, f"steps={STEPS}", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(conditions, pool.map(measure, conditions.values()), strict=True))


@pytest.mark.parametrize("condition", ["again", "one core", "abroad"])
def test_exact_processes_give_the_same_bytes(
    measured: dict[str, dict[str, str]], condition: str
) -> None:
    assert measured[condition] == measured["exact"]


def test_this_process_gives_the_same_bytes(measured: dict[str, dict[str, str]]) -> None:
    numerics.exact_torch()
    assert probe.training_sha256(STEPS) == measured["exact"]["training"]
    assert {**measured["exact"], **probe.array_sha256()} == measured["exact"]


def _train_exactly(steps: int) -> str:
    numerics.exact_torch()
    return probe.training_sha256(steps)


def test_workers_give_the_same_bytes(
    measured: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_WORKERS", "2")
    assert (
        workers.run(_train_exactly, [STEPS, STEPS], words="training")
        == [measured["exact"]["training"]] * 2
    )


@pytest.mark.parametrize("condition", ["two threads", "global generator"])
def test_control_changes_the_weights(measured: dict[str, dict[str, str]], condition: str) -> None:
    assert measured[condition]["training"] != measured["exact"]["training"]


@needs_avx512
@pytest.mark.parametrize(
    ("condition", "work"),
    [
        ("no oneDNN pin", "training"),
        ("no MKL pin", "training"),
        ("no OpenBLAS pin", "product"),
        ("no OpenBLAS pin", "solve"),
        ("no numpy pin", "functions64"),
    ],
)
def test_control_without_a_pin_changes_the_bytes(
    measured: dict[str, dict[str, str]], condition: str, work: str
) -> None:
    assert measured[condition][work] != measured["exact"][work]


def test_stable_image_operations_need_no_pin(measured: dict[str, dict[str, str]]) -> None:
    """Integer resizing, blur, CLAHE and stable sorting are equal even with a pin missing."""
    stable = ("area", "linear_exact", "blur", "clahe", "argsort")
    for result in measured.values():
        assert [result[name] for name in stable] == [measured["exact"][name] for name in stable]


def test_pytest_runs_under_the_profile(python: Python) -> None:
    assert numerics.unpinned(os.environ) == []
    done = python("-m", "pytest", "-q", "tests/test_plugins.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout  # a restart from conftest would have lost this line


def test_import_starts_the_program_again_with_its_words(python: Python) -> None:
    program = (
        "import os, sys, stages; print(os.environ['OMP_NUM_THREADS'], sys.argv, sys.flags.optimize)"
    )
    done = python("-O", "-c", program, "a word", "--flag")
    assert done.stdout == "1 ['-c', 'a word', '--flag'] 1\n", done.stderr


def test_a_module_starts_again_with_its_words(python: Python) -> None:
    done = python("-m", "stages", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m stages ")


def test_an_exact_process_does_not_start_again(python: Python) -> None:
    program = "import os; print(os.getpid()); import stages; print(os.getpid())"
    first, second = python("-u", "-c", program, pinned=True).stdout.split()
    assert first == second


def test_numpy_loaded_first_is_refused(python: Python) -> None:
    done = python("-c", "import numpy, stages")
    assert done.returncode == 1
    assert "the exact profile is not set and numpy loaded first" in done.stderr
    assert 'eval "$(python -m cxr.numerics)"' in done.stderr


def test_a_program_from_a_pipe_is_refused(python: Python) -> None:
    done = python("-", input="import stages\nprint('lost')\n")
    assert done.returncode == 1
    assert "comes from a terminal or pipe" in done.stderr


def test_a_process_that_lost_a_pin_does_not_start_forever(python: Python) -> None:
    done = python("-c", "import stages", env={**_without("MKL_CBWR"), "CXR_PINNED": "1"})
    assert done.returncode == 1
    assert "this process lacks the exact profile (MKL_CBWR)" in done.stderr


def test_a_worker_without_a_pin_is_refused(python: Python, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import multiprocessing, os\n"
        "from cxr import numerics\n"
        "if __name__ == '__main__':\n"
        "    numerics.enter()\n"
        "    del os.environ['MKL_CBWR']\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        pool.apply(numerics.enter)\n"
    )
    done = python(str(program))
    assert done.returncode == 1
    assert "RuntimeError: this process lacks the exact profile (MKL_CBWR): start" in done.stderr


def test_torch_without_a_pin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(RuntimeError, match="the exact profile is not set: OMP_NUM_THREADS"):
        numerics.exact_torch()


def test_exact_torch_binds_to_one_thread_and_deterministic_kernels() -> None:
    import cv2
    import torch

    numerics.exact_torch()
    assert torch.get_num_threads() == cv2.getNumThreads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()


def test_printed_exports_make_a_shell_exact(python: Python) -> None:
    exports = python("-m", "cxr.numerics").stdout
    program = "import os; from cxr import numerics; print(numerics.unpinned(os.environ))"
    done = python("-c", program, prefix=("sh", "-c", exports + 'exec "$@"', "sh"))
    assert done.stdout == "[]\n", done.stderr
