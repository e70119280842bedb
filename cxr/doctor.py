"""doctor: is this machine in the byte-identical class? `python -m cxr.doctor` says so in seconds.

Each probe does one small thing that a stage does much of (a convolution, its gradient, a step of
the optimizer, a resize …) and hashes the bytes of the result; tests/golden/doctor.json holds the
hashes of the class. Equal probes do not prove equal runs, but every difference that we know of
(another instruction set, thread count or version) shows here first; `make verify` proves.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy and torch read the environment

import argparse
import base64
import hashlib
import importlib.metadata
import io
import platform
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from cxr import artifacts, seeding

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "doctor.json"
LOCK = ROOT / "numerics.lock"
_SEED = 1
# a colour JPEG of 32 x 32 pixels with halved chroma: decoding it rounds, and rounds by version
_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQ"
    "c1tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKT/wAARCAAgACADASIAAhEBAxEB/8QAGAAAAwEBAAAAAAAAAAAAAAAA"
    "AgQFAwH/xAAdEAACAgMBAQEAAAAAAAAAAAAAAgEEAxEhMRIi/8QAFgEBAQEAAAAAAAAAAAAAAAAAAwQC/8QAGREA"
    "AgMBAAAAAAAAAAAAAAAAAQIAAyES/9oADAMBAAIRAxEAPwCpOZVUmXLUd0HCuyi2eu0+hOyK01VWxGxJrLS3Bqs7"
    "sZJV/XSnUwKuitbTzgh2ooOx+ERVEreVF2DOdmUQs/bbJGRFbYlXbCce1ENw3wWpnwnLgZmKdOr5ssWxQuQrKt0z"
    "/9k="
)


def _image(name: str, *, size_px: int = 96) -> np.ndarray:
    """Return a uint8 image (size_px, size_px) of waves and noise."""
    rows, columns = np.mgrid[0:size_px, 0:size_px]
    waves = 6 * (rows // 7 % 11) + 5 * (columns // 5 % 13)
    noise = seeding.stream(_SEED, "doctor", name).integers(0, 90, size=waves.shape)
    return (waves + noise).astype(np.uint8)


def _floats(name: str, *shape: int) -> np.ndarray:
    """Return standard normal float64 numbers of the stream `name`."""
    return seeding.stream(_SEED, "doctor", name).standard_normal(shape)


class _Network(nn.Module):
    """Plain, strided and depthwise convolutions with BatchNorm, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6(),
            nn.Conv2d(16, 24, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU6(),
            nn.Conv2d(24, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 4, bias=False),
        )  # fmt: skip
        with torch.no_grad():
            for name, weights in sorted(self.named_parameters()):
                if weights.ndim > 1:
                    weights.copy_(torch.from_numpy(0.2 * _floats(name, *weights.shape)))

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        """Return scores (B, 4)."""
        return self.layers(images_BCHW)


def _loss(network: _Network) -> torch.Tensor:
    images_BCHW = torch.from_numpy(_floats("images", 8, 1, 48, 48).astype(np.float32))
    return nn.functional.cross_entropy(network(images_BCHW), torch.arange(8) % 4)


def _bytes(tensors: Iterable[torch.Tensor | None]) -> bytes:
    return b"".join(tensor.detach().numpy().tobytes() for tensor in tensors if tensor is not None)


def conv_forward() -> bytes:
    """Scores of a small network in training mode."""
    return _bytes([_loss(_Network())])


def conv_backward() -> bytes:
    """Gradients of every parameter."""
    network = _Network()
    _loss(network).backward()
    return _bytes(weights.grad for weights in network.parameters())


def adamw_steps() -> bytes:
    """Weights and BatchNorm's averages after three steps of AdamW."""
    network = _Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.01, fused=True)
    for _ in range(3):
        optimizer.zero_grad()
        _loss(network).backward()
        optimizer.step()
    return _bytes(network.state_dict().values())


def resize_area() -> bytes:
    """A uint8 resize by INTER_AREA with an uneven factor."""
    return cv2.resize(_image("resize"), (41, 41), interpolation=cv2.INTER_AREA).tobytes()


def resize_linear() -> bytes:
    """A uint8 resize by INTER_LINEAR_EXACT."""
    small = _image("resize")
    return cv2.resize(small, (131, 131), interpolation=cv2.INTER_LINEAR_EXACT).tobytes()


def clahe() -> bytes:
    """Contrast-limited histogram equalisation."""
    return cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(_image("clahe")).tobytes()


def remap() -> bytes:
    """A rotation by fixed-point maps, as the augmentation makes them."""
    rows, columns = np.mgrid[0:96, 0:96].astype(np.float32)
    across = (0.98 * columns - 0.17 * rows + 9).astype(np.float32)
    down = (0.17 * columns + 0.98 * rows - 7).astype(np.float32)
    fixed, fractions = cv2.convertMaps(across, down, cv2.CV_16SC2)
    return cv2.remap(_image("remap"), fixed, fractions, cv2.INTER_LINEAR).tobytes()


def jpeg_decode() -> bytes:
    """The pixels of a colour JPEG, and its grey version."""
    with Image.open(io.BytesIO(_JPEG)) as image:
        return image.convert("RGB").tobytes() + image.convert("L").tobytes()


def stable_sort() -> bytes:
    """The order of numbers with many ties."""
    return np.argsort(_image("sort").ravel(), kind="stable").astype(np.int64).tobytes()


def bootstrap_draw() -> bytes:
    """Resamples of a keyed stream and the means over them."""
    values = _floats("values", 500)
    rows = seeding.stream(_SEED, "doctor", "bootstrap").integers(0, 500, size=(200, 500))
    return rows.astype(np.int64).tobytes() + values[rows].mean(axis=1).tobytes()


def elementary() -> bytes:
    """exp, log, tanh and sums in float32 and float64."""
    values = _floats("elementary", 4099)
    results = []
    for kind in (np.float32, np.float64):
        x = values.astype(kind)
        results += [np.exp(x), np.log(np.abs(x)), np.tanh(x), np.atleast_1d(x.sum())]
    return b"".join(array.tobytes() for array in results)


def matrix_product() -> bytes:
    """A product of two matrices in float32 and float64 (OpenBLAS)."""
    a, b = _floats("a", 67, 129), _floats("b", 129, 71)
    return (a @ b).tobytes() + (a.astype(np.float32) @ b.astype(np.float32)).tobytes()


def factorizations() -> bytes:
    """Equations solved, an inverse, eigenvectors and singular vectors in float64 (OpenBLAS' LAPACK)."""
    a = _floats("factors", 200, 150)
    square = a.T @ a / 200 + 0.01 * np.eye(150)
    results = [np.linalg.solve(square, a[:9].T), np.linalg.inv(square)]
    results += [*np.linalg.eigh(square[:60, :60]), *np.linalg.svd(a[:70, :40], full_matrices=False)]
    return b"".join(array.tobytes() for array in results)


PROBES: dict[str, Callable[[], bytes]] = {
    probe.__name__: probe
    for probe in (
        conv_forward, conv_backward, adamw_steps, resize_area, resize_linear, clahe, remap,
        jpeg_decode, stable_sort, bootstrap_draw, elementary, matrix_product, factorizations,
    )
}  # fmt: skip


def hashes() -> dict[str, str]:
    """Return the sha256 of each probe's bytes on this machine."""
    numerics.exact_torch()
    return {name: hashlib.sha256(probe()).hexdigest() for name, probe in PROBES.items()}


def other_versions(lock: str) -> list[str]:
    """Return the packages of numerics.lock that are installed in another version, sorted."""
    found = []
    for line in lock.splitlines():
        name, _, version = line.partition("==")
        installed = importlib.metadata.version(name)
        if installed.partition("+")[0] != version:
            found.append(f"{name} {installed}, locked {version}")
    return sorted(found)


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def diagnose(found: dict[str, str], golden: dict[str, str]) -> tuple[list[str], bool]:
    """Return a line per probe, and whether all are as in the golden file."""
    lines = []
    for name in sorted({*found, *golden}):
        if name not in golden:
            word = "not in the golden file"
        else:
            word = "same" if found.get(name) == golden[name] else "DIFFERS"
        lines.append(f"{name:<16}{word}")
    return lines, found == golden


def main() -> None:
    """Print the table and the class; exit 1 outside the class."""
    parser = argparse.ArgumentParser(prog="python -m cxr.doctor", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument(
        "--write", action="store_true", help="write this machine's hashes as golden"
    )
    arguments = parser.parse_args()
    start = time.monotonic()
    found = hashes()
    if arguments.write:
        artifacts.write_json(GOLDEN, found)
        print(f"{GOLDEN.relative_to(ROOT)}: {len(found)} probes of {processor()}")
        return
    lines, same = diagnose(found, artifacts.read_json(GOLDEN))
    print("\n".join(lines))
    wrong = other_versions(LOCK.read_text(encoding="utf-8"))
    if wrong:
        print(f"other versions than numerics.lock: {'; '.join(wrong)}; run `make setup`")
    print(f"processor: {processor()} ({platform.machine()})")
    print(
        f"byte-identical class: {'yes' if same and not wrong else 'no'} ({time.monotonic() - start:.1f} s)"
    )
    if not same:
        print(
            "here results repeat on this machine at most; compare hashes only with machines of the class"
        )
    sys.exit(0 if same and not wrong else 1)


if __name__ == "__main__":
    main()
