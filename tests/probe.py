"""A small fixed training and some array work as a program: prints the sha256 of what they gave.

`python -m tests.probe exact` runs under the profile of `import stages`; `python -m tests.probe as-is`
takes the environment as it comes, so that a negative control can leave one pin out and see the
bytes change. Further words: `threads=2`, `steps=20`, `global-generator`.
"""

from __future__ import annotations

import hashlib
import json
import sys

STEPS = 20


def training_sha256(steps: int = STEPS, *, threads: int = 1, global_generator: bool = False) -> str:
    """Train conv, BatchNorm and linear layers on keyed random data; return the weights' sha256.

    32 to 64 channels at 32 px and 16 images a batch: large enough that oneDNN chooses kernels by
    instruction set and cuts the work among threads.
    """
    import torch
    from torch import nn

    from cxr import seeding

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    with seeding.torch_global(7, "probe", "weights"):
        model = nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32)),
            *(nn.Conv2d(32, 64, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(64), nn.SiLU()),
            *(nn.Conv2d(64, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 3)),
        )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(steps):
        generator = None if global_generator else seeding.torch_stream(7, "probe", "batch", step)
        images_BCHW = torch.randn(16, 1, 32, 32, generator=generator)
        labels_B = torch.randint(0, 3, (16,), generator=generator)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images_BCHW), labels_B).backward()
        optimizer.step()
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def array_sha256() -> dict[str, str]:
    """Hash matrix products and functions of numpy, and resizing and CLAHE of OpenCV."""
    import cv2
    import numpy as np

    from cxr import seeding

    draws = seeding.stream(7, "probe", "arrays")
    matrix = draws.normal(size=(257, 263))
    single = matrix.astype(np.float32)
    image = draws.integers(0, 256, size=(211, 197), dtype=np.uint8)
    found = {
        "product": matrix @ matrix.T,
        "solve": np.linalg.solve(matrix[:, :257], matrix[:, 0]),
        "functions64": np.exp(matrix) + np.sin(matrix) + np.log(np.abs(matrix)),
        "functions32": np.exp(single) + np.sin(single) + np.log(np.abs(single)),
        "sum32": np.asarray([single.sum(), single.mean(), single.std()]),
        "argsort": np.argsort(image.ravel(), kind="stable"),
        "area": cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA),
        "linear_exact": cv2.resize(image, (96, 96), interpolation=cv2.INTER_LINEAR_EXACT),
        "linear": cv2.resize(image, (96, 96), interpolation=cv2.INTER_LINEAR),
        "blur": cv2.GaussianBlur(image, (5, 5), 1.1),
        "clahe": cv2.createCLAHE(2.0, (8, 8)).apply(image),
    }
    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in found.items()}


def main(words: list[str]) -> None:
    """Print {"training": sha256, <array work>: sha256} as one line of JSON."""
    profile, *options = words
    if profile == "exact":
        import stages  # noqa: F401
        from cxr import numerics

        numerics.exact_torch()
    chosen = dict(option.partition("=")[::2] for option in options)
    result = array_sha256() if "training-only" not in chosen else {}
    result["training"] = training_sha256(
        int(chosen.get("steps", STEPS)),
        threads=int(chosen.get("threads", 1)),
        global_generator="global-generator" in chosen,
    )
    print(json.dumps(result, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1:])
