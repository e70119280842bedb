"""lock: write numerics.lock, the lines of requirements.lock whose versions can change a byte of the results.

Stages depend on numerics.lock and not on requirements.lock: a new ruff or Prefect retrains nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

REQUIREMENTS = Path("requirements.lock")
NUMERICS = Path("numerics.lock")

# What computes, decodes, draws or writes something that ends in a hashed file. (Drawing: freetype
# comes inside matplotlib, OpenBLAS inside numpy, oneDNN and MKL inside torch.)
PACKAGES = (
    "contourpy",
    "great-expectations",
    "imagecodecs",
    "joblib",
    "kornia-rs",
    "matplotlib",
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxscript",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "protobuf",
    "pyarrow",
    "pydicom",
    "safetensors",
    "scikit-learn",
    "scipy",
    "timm",
    "torch",
    "torch-pruning",
    "torchvision",
)


def numerics(requirements: str) -> str:
    """Return the text of numerics.lock for the text of a requirements.lock; raise ValueError on a hole."""
    lines = re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", requirements, flags=re.MULTILINE)
    twice = sorted({name for name, _ in lines if sum(name == other for other, _ in lines) > 1})
    chosen = sorted(f"{name}=={version}" for name, version in set(lines) if name in PACKAGES)
    if set(twice) & set(PACKAGES):
        raise ValueError(f"{REQUIREMENTS} holds several versions of {', '.join(twice)}: pin one")
    if not chosen:
        raise ValueError(f"{REQUIREMENTS} names no numerical package: run `make lock`")
    return "".join(f"{line}\n" for line in chosen)


if __name__ == "__main__":
    NUMERICS.write_text(numerics(REQUIREMENTS.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{NUMERICS}: {len(NUMERICS.read_text(encoding='utf-8').splitlines())} packages")
