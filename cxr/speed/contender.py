"""One network in a process of its own: it loads, scores the images once, then times as often as it is asked.

`python -m cxr.speed.contender <Spec as JSON>` prints a line of JSON when it is ready; each line of
input, a number of runs, is answered with their seconds; at the end of input comes the peak of memory.
Beside numpy only the engine is imported, so that the memory is what a user of the file needs. Linux
only: VmHWM is this program's own peak, where ru_maxrss still holds its parent's from before the exec.
Sources: proc_pid_status(5), https://onnxruntime.ai/docs/performance/tune-performance/threading.html,
https://docs.openvino.ai/2026/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WARM_UP = 2
"""Runs before those that count, each time: others have used the caches meanwhile."""
Score = Callable[[np.ndarray], np.ndarray]
"""Grey images float32 (B, 1, S, S), 0..255 → probabilities (B, L)."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a process works with; paths are absolute."""

    engine: str
    """one of ENGINES"""
    file: str
    """the ONNX file, or the folder of the model for PyTorch"""
    images: str
    """.npy, uint8 (N, S, S)"""
    batch: int
    """the first so many of the images are scored at once"""
    threads: int
    """that compute"""
    exact: bool
    """whether PyTorch runs in the product's own profile"""
    library: str
    """folder in which an optional engine is looked for last"""


def onnxruntime(spec: Spec) -> tuple[str, Callable[[], Score]]:
    """Import ONNX Runtime; return its version and what loads the file, with its own settings."""
    from cxr.onnx_runtime import onnxruntime

    def load() -> Score:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = spec.threads, 1
        options.log_severity_level = 3  # errors alone
        session = onnxruntime.InferenceSession(
            spec.file, options, providers=["CPUExecutionProvider"]
        )
        given, made = session.get_inputs()[0].name, session.get_outputs()[0].name
        return lambda images_B1SS: session.run([made], {given: images_B1SS})[0]

    return onnxruntime.__version__, load


def openvino(spec: Spec) -> tuple[str, Callable[[], Score]]:
    """Import OpenVINO; it compiles for just this batch, in float32, one request at a time."""
    sys.path.append(spec.library)  # last: the environment's own numpy comes first
    library = importlib.import_module("openvino")  # by name: the product does not require it
    options = {
        "INFERENCE_NUM_THREADS": spec.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
    }

    def load() -> Score:
        core = library.Core()
        model = core.read_model(spec.file)
        size_px = np.load(spec.images, mmap_mode="r").shape[1]
        model.reshape([spec.batch, 1, size_px, size_px])
        request = core.compile_model(model, "CPU", options).create_infer_request()
        return lambda images_B1SS: request.infer(images_B1SS, share_inputs=True)[0]

    return library.__version__.partition("-")[0], load


def pytorch(spec: Spec) -> tuple[str, Callable[[], Score]]:
    """Import PyTorch and the product; the network runs eagerly, with all that the ONNX file holds."""
    import torch

    from cxr import numerics
    from cxr.training import losses, models

    if spec.exact:
        numerics.exact_torch()
    torch.set_num_threads(spec.threads)

    def load() -> Score:
        member = models.load(Path(spec.file), 0)
        mean, std = member.recipe.mean, member.recipe.std

        def score(images_B1SS: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                given = torch.from_numpy(images_B1SS).mul(1.0 / (255.0 * std)).sub(mean / std)
                raw = member.network(given) / member.temperature
                return losses.probabilities(raw, member.recipe.loss).numpy()

        return score

    return torch.__version__, load


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "pytorch": pytorch}


def peak_bytes() -> int:
    """Return the most memory that this process has had at once, shared libraries included."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ValueError("/proc/self/status names no VmHWM: memory can be measured on Linux only")


def prepare(spec: Spec) -> tuple[Score, np.ndarray, dict[str, Any]]:
    """Load engine, images and network and score once; return what a turn needs, and the first report."""
    version, load = ENGINES[spec.engine](spec)
    imports = peak_bytes()
    images_BSS = np.load(spec.images)[: spec.batch]
    images_B1SS = images_BSS[:, None].astype(np.float32)
    start = time.perf_counter()
    score = load()
    loaded = time.perf_counter()
    output_BL = np.asarray(score(images_B1SS))
    return score, images_B1SS, {
        "version": version,
        "load_ms": 1e3 * (loaded - start),
        "first_ms": 1e3 * (time.perf_counter() - loaded),
        "imports_bytes": imports,
        "input_sha256": hashlib.sha256(images_BSS.tobytes()).hexdigest(),
        "output": output_BL.tolist(),
    }  # fmt: skip


def turn(score: Score, images_B1SS: np.ndarray, runs: int) -> dict[str, Any]:
    """Score the images so often; return the seconds of each run, and of the processor in all."""
    for _ in range(WARM_UP):
        score(images_B1SS)
    seconds = []
    used = time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        score(images_B1SS)
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "processor_seconds": time.process_time() - used}


def main() -> None:
    """Make ready what the command line says, then work the turns that the input asks for."""
    spec = Spec(**json.loads(sys.argv[1]))
    score, images_B1SS, ready = prepare(spec)
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        print(json.dumps(turn(score, images_B1SS, int(line))), flush=True)
    print(json.dumps({"peak_bytes": peak_bytes()}), flush=True)


if __name__ == "__main__":
    main()
