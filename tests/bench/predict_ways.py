"""Ways from files to answers, each in a process of its own: see contenders, whose manners these keep.

The folder holds `files/x/*.png`, ChestX-ray14's table of them, the trained network in `data/models/` and
the same network in `data/exported/`, as the stage wrote it.

- ours: `cxr predict` without its printing: strict decoding, the pipeline's preprocessing, calibrated
  probabilities, strangeness and maps by ONNX Runtime, in a process for each core
- pytorch: the loop that one writes first: OpenCV's imread and resize in a DataLoader, the network eager
- torchxrayvision: its data set class, centre crop and resizer in a DataLoader, the same network eager
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.bench import contenders
from tests.bench.contenders import SIZE_PX, Round, Way

MODEL = "mobilenetv2_100-uniform_30"
TIMES = 2
"""How often a round goes through the files."""


def ours(folder: Path, processes: int) -> Round:
    """What `cxr predict` does with a folder."""
    from cxr import answering
    from cxr.answering import pictures, predicting

    os.environ["CXR_WORKERS"] = str(processes)
    path = folder / "data/exported" / MODEL
    model, listed = answering.open_model(path, threads=1), pictures.listed(folder / "files") * TIMES
    asked = predicting.Asked(model=path, fold=None, demo=True, overlays=None)

    def work() -> int:
        answers = list(predicting.answers(asked, listed, model))
        assert all(one.probabilities is not None or one.refused for one in answers)
        return len(answers)

    return work


def pytorch(folder: Path, processes: int) -> Round:
    """A data set of one's own, in which damaged files pass."""
    from tests.bench import train_usual

    class Files:
        paths = contenders.names(folder, TIMES)

        def __len__(self) -> int:
            return len(self.paths)

        def __getitem__(self, place: int) -> Any:
            return train_usual.with_cv2(str(folder / "files/x" / self.paths[place]), SIZE_PX)[None]

    return _eager(folder, processes, Files())


def torchxrayvision(folder: Path, processes: int) -> Round:
    """The field's own preprocessing, its values -1024..1024 brought to 0..1."""
    data = contenders.chest_xray14(folder, "cv2")

    class Unit:
        def __len__(self) -> int:
            return TIMES * len(data)

        def __getitem__(self, place: int) -> Any:
            return (data[place % len(data)]["img"] + 1024) / 2048

    return _eager(folder, processes, Unit())


def _eager(folder: Path, processes: int, data: Any) -> Round:
    """Return a round through a DataLoader and the network, with as many threads as processes."""
    import torch

    from cxr.training import models

    member = models.load(folder / "data/models" / MODEL, 0)
    network, recipe = member.network.eval(), member.recipe
    torch.set_num_threads(processes)
    loader = contenders.loader(data, processes)

    def work() -> int:
        done = 0
        with torch.inference_mode():
            for images_B1SS in loader:
                scores_BL = torch.sigmoid(network((images_B1SS - recipe.mean) / recipe.std))
                done += len(scores_BL.numpy())
        return done

    return work


WAYS: dict[str, Way] = {"ours": ours, "pytorch": pytorch, "torchxrayvision": torchxrayvision}

if __name__ == "__main__":
    contenders.main(WAYS, ["ours"])
