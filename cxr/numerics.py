"""The exact profile: what must be set before numpy, torch and cv2 load so that every bit repeats.

A thread count or an instruction set changes the order of floating-point additions, and a
difference of 1e-6 in one training step is another model forty steps later. So both are pinned,
in the environment (the libraries read it once, while loading) and, for torch, by calls.

Sources: oneDNN "CPU dispatcher control", Intel MKL "Conditional Numerical Reproducibility",
NumPy "CPU build options", PyTorch "Reproducibility".
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping

PINS: dict[str, str] = {
    # which vector instructions the kernels use: AVX2 is the widest that all our processors share
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENCV_IPP": "disabled",
    # one thread: how a sum is cut among threads decides its last bits
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_DYNAMIC": "FALSE",
    "OMP_DYNAMIC": "FALSE",
    # the order of sets of strings, dates and the words of messages
    "PYTHONHASHSEED": "1",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    # cuBLAS repeats only with a fixed workspace; the CPU does not read it
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # not a matter of bits: an image that claims more pixels is refused, not decoded
    "OPENCV_IO_MAX_IMAGE_PIXELS": "100000000",
    # not a matter of bits either: without it glibc gives every activation back to the kernel and
    # asks for it again in the next step (a seventh of the training time, measured)
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    # libraries that would call home, chatter, or read the user's own settings
    "OPENCV_LOG_LEVEL": "ERROR",
    "GX_ANALYTICS_ENABLED": "false",
    "MPLBACKEND": "Agg",
}

_LOADED_TOO_EARLY = ("numpy", "torch", "cv2")


def unpinned(environment: Mapping[str, str]) -> list[str]:
    """Name the pins that `environment` lacks or sets otherwise, sorted."""
    return sorted(name for name, value in PINS.items() if environment.get(name) != value)


def enter() -> None:
    """Make this process exact: do nothing if it is, else start it again once with the pins.

    Raises RuntimeError in a worker process (it must inherit the pins, a restart would lose its
    pipe), in an interactive session or a program read from a pipe, and where a numerical library has already read other values.
    """
    wrong = unpinned(os.environ)
    if not wrong:
        return
    if os.environ.get("CXR_PINNED") == "1" or multiprocessing.parent_process() is not None:
        raise RuntimeError(
            f"this process lacks the exact profile ({', '.join(wrong)}): start workers from a "
            'stage, or after `eval "$(python -m cxr.numerics)"`'
        )
    early = [name for name in _LOADED_TOO_EARLY if name in sys.modules]
    typed = hasattr(sys, "ps1") or sys.argv[0] in ("", "-")  # a restart can't read stdin again
    if early or typed:
        what = (
            f"{', '.join(early)} loaded first"
            if early
            else "the program comes from a terminal or pipe"
        )
        raise RuntimeError(
            f'the exact profile is not set and {what}: run `eval "$(python -m cxr.numerics)"` first'
        )
    os.environ.update(PINS, CXR_PINNED="1")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def exact_torch() -> None:
    """Bind torch and cv2 to one thread and to deterministic float32 kernels (call before using either)."""
    import cv2
    import torch

    wrong = unpinned(os.environ)
    if wrong:
        raise RuntimeError(f"the exact profile is not set: {', '.join(wrong)}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    cv2.setNumThreads(1)


if __name__ == "__main__":
    import shlex

    for pin, wanted in sorted(PINS.items()):
        print(f"export {pin}={shlex.quote(wanted)}")
