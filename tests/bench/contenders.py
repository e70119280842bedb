"""One way of reading images in a process of its own: it makes ready, then works a round per line it is sent.

`python -m tests.bench.contenders <name> <processes> <folder>` prints `ready <images of a round>`; each
line on its input starts a round, whose seconds it prints. Every process is bound to as many cores
as it may use processes. The folder holds `files/x/*.png` and, made before, what each way needs.

What each does to a PNG of 1024 px, to get 224 px grey:

- ours: what ingest and preprocess do: strict decoding, sha256 of file and pixels, checksums of the
  chunks, statistics, thumbnail and hash, resize by area, everything written to the scratch folder
- opencv: imread grey, resize by area, kept in memory; damaged files pass
- torchvision: ImageFolder, Grayscale, Resize (bilinear with antialias), PILToTensor, DataLoader
- torchxrayvision: NIH_Dataset, XRayCenterCrop, XRayResizer, DataLoader; float32 in -1024..1024
- shards: what training does in place of decoding: gather prepared images, to float32, normalised
- training: the same through the training's own batches, which augment each image
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Round = Callable[[], int]
"""Work once through the images; return how many they were."""
Way = Callable[[Path, int], Round]
"""Make ready in a folder, for so many processes."""

SIZE_PX = 224
BATCH = 32
OURS = ("ours", "shards", "training")
STEPS = [{"name": "resize", "size_px": SIZE_PX, "fit": "stretch"}]
_READ_TIMES = {"ours": 2, "opencv": 2, "shards": 20, "training": 2}


def names(folder: Path, times: int) -> list[str]:
    """Return the files' names, so often that a round takes long enough to be measured."""
    return sorted(path.name for path in (folder / "files/x").iterdir()) * times


def ours(folder: Path, processes: int) -> Round:
    """What a worker of ingest does with a block of images."""
    from cxr import intake
    from cxr.preprocessing import _chain

    chain = _chain.build(STEPS, where="tests/bench")
    kept = folder / "scratch"
    keep = intake.Keep(kept / "facts", kept / "pixels", chain)
    listed = names(folder, 1)
    parts = [listed[place::processes] for place in range(processes)] * _READ_TIMES["ours"]
    items = [((folder / "files/x").absolute(), tuple(part), keep) for part in parts]
    return _worked(_take, items, processes, len(listed) * _READ_TIMES["ours"])


def _take(item: tuple[Path, tuple[str, ...], Any]) -> None:
    from cxr import intake
    from cxr.intake import blocks

    root, members, keep = item
    intake._take((root, blocks.named(members, state="bench"), keep))


def opencv(folder: Path, processes: int) -> Round:
    """The loop that one writes first."""
    paths = [str(folder / "files/x" / name) for name in names(folder, _READ_TIMES["opencv"])]
    return _worked(_loop, [paths[place::processes] for place in range(processes)], processes, len(paths))  # fmt: skip


def _loop(paths: list[str]) -> None:
    import cv2

    kept = []
    for path in paths:
        image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        assert image is not None, path
        kept.append(cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA))


def torchvision(folder: Path, processes: int) -> Round:
    """ImageFolder and transforms, as the tutorials have it."""
    from torchvision import datasets, transforms

    change = transforms.Compose(
        [transforms.Grayscale(), transforms.Resize((SIZE_PX, SIZE_PX)), transforms.PILToTensor()]
    )
    data = datasets.ImageFolder(str(folder / "files"), change)
    return _loaded(data, processes)


def torchxrayvision(folder: Path, processes: int, engine: str = "skimage") -> Round:
    """The data set class of the field, on its own kind of table."""
    return _loaded(chest_xray14(folder, engine), processes)


def chest_xray14(folder: Path, engine: str) -> Any:
    """Return torchxrayvision's data set of the folder's files."""
    import torchxrayvision as xrv
    from torchvision import transforms

    change = transforms.Compose(
        [xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(SIZE_PX, engine=engine)]
    )
    return xrv.datasets.NIH_Dataset(
        str(folder / "files/x"), csvpath=str(folder / "table.csv"), views=["PA"],
        transform=change, unique_patients=False,
    )  # fmt: skip


def torchxrayvision_cv2(folder: Path, processes: int) -> Round:
    """The same with the resizer's faster engine, which is not its default."""
    return torchxrayvision(folder, processes, engine="cv2")


def shards(folder: Path, processes: int) -> Round:
    """An epoch in another order each time, in batches of float32."""
    from cxr import prepared, seeding
    from cxr.training import batches

    opened, epochs = prepared.read(folder / "prepared"), itertools.count()
    count = len(opened.index)

    def work() -> int:
        for _ in range(_READ_TIMES["shards"]):
            order = seeding.stream(1, "bench", next(epochs)).permutation(count)
            for start in range(0, count, BATCH):
                images = opened.gather(order[start : start + BATCH])
                batches.normalise(images, mean=0.449, std=0.226)
        return count * _READ_TIMES["shards"]

    return work


def training(folder: Path, processes: int) -> Round:
    """An epoch of the training loop's own batches, augmented as the studies' defaults have it."""
    import numpy as np

    from cxr import prepared
    from cxr.training import batches
    from cxr.training.recipe import Augmentation

    opened, epochs = prepared.read(folder / "prepared"), itertools.count()
    images = opened.gather(np.arange(len(opened.index)))
    augmentation = Augmentation(
        rotate_deg=10.0,
        translate=0.08,
        scale=0.08,
        brightness=0.12,
        contrast=0.12,
        flip=False,
        border="black",
    )

    def work() -> int:
        done = 0
        for _ in range(_READ_TIMES["training"]):
            drawn = batches.epoch_batches(
                images, batch_size=BATCH, augmentation=augmentation, seed=1,
                stream=("bench",), epoch=next(epochs),
            )  # fmt: skip
            for positions, changed in drawn:
                batches.normalise(changed, mean=0.449, std=0.226)
                done += len(positions)
        return done

    return work


def _worked(function: Callable[[Any], None], items: list[Any], processes: int, count: int) -> Round:
    """Return a round that works `items` in so many processes, which stay."""
    if processes == 1:

        def alone() -> int:
            for item in items:
                function(item)
            return count

        return alone
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))

    def together() -> int:
        list(pool.map(function, items))
        return count

    return together


def _loaded(data: Any, processes: int) -> Round:
    """Return a round through a DataLoader."""
    batches = loader(data, processes)

    def work() -> int:
        for _ in batches:
            pass
        return len(data)

    return work


def loader(data: Any, processes: int) -> Any:
    """Return a DataLoader: without workers for one process, else with so many."""
    from torch.utils.data import DataLoader

    workers = 0 if processes == 1 else processes
    return DataLoader(data, batch_size=BATCH, num_workers=workers, persistent_workers=workers > 0)


CONTENDERS: dict[str, Way] = {
    "ours": ours,
    "opencv": opencv,
    "torchvision": torchvision,
    "torchxrayvision": torchxrayvision,
    "torchxrayvision, cv2": torchxrayvision_cv2,
    "shards": shards,
    "training": training,
}


def main(ways: Mapping[str, Way], pinned: Sequence[str]) -> None:
    """Make ready what the command line names, then work a round per line of input.

    `pinned` work under the exact profile, as the stages do; the others as they are installed.
    """
    name, processes, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if name in pinned:
        from cxr import numerics

        numerics.enter()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processes])
    work = ways[name](folder, processes)
    print(f"ready {work()}", flush=True)  # the first round loads what is loaded late
    for _ in sys.stdin:
        start = time.perf_counter()
        work()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main(CONTENDERS, OURS)
