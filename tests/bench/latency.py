"""What a cut to 30 % of the MACs is worth on this machine: `make bench-latency`.

MobileNetV2 and ResNet-18 at 224 px with 14 labels, whole and cut evenly (kept channels are multiples of 8,
and of 16 on processors that work on so many at once, those with AVX-512: `multiple` of the recipe), exported
as the stage does; one image at a time in ONNX Runtime on one thread, beside eager PyTorch, in turns. Time
does not depend on what the weights are, so nobody trains them. Then each cut once more within one core and
512 MB. Promised: MobileNetV2 at 30 % 2.4 times as fast as whole, ResNet-18 3.5 times, and either 5 times
as fast as its whole parent in eager PyTorch. Rows in reports/host/bench-latency.json; measure on a quiet
machine. Exit 1 if a promise does not hold.
"""

from __future__ import annotations

from cxr import numerics

if __name__ == "__main__":
    numerics.enter()  # before numpy and torch read the environment

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from cxr import artifacts
from cxr.pruning import baselines, cutting, encoding
from cxr.pruning.criteria import l1_norm
from cxr.pruning.evidence import Evidence
from cxr.speed import edge, host, report, subjects, turns
from cxr.speed.__main__ import LIBRARY, contenders
from cxr.training import loop, models, network
from tests.bench import train_setup

REPORT = Path(__file__).resolve().parents[2] / "reports/host/bench-latency.json"
SIZE_PX, TRAINED_PX, SHARE = 224, 96, 0.3
PROMISES = {"mobilenetv2_100": 2.4, "resnet18": 3.5}
PYTORCH = 5.0
WIDE = "avx512f"
"""In the words of Linux: the processor works on 16 numbers of float32 at once."""
LABELS = [f"label {number}" for number in range(14)]


def multiple() -> int:
    """Return of how many channels the kernels of this processor like multiples."""
    return 16 if WIDE in Path("/proc/cpuinfo").read_text(encoding="utf-8").split() else 8


def lay(backbone: str, *, size_px: int = TRAINED_PX) -> tuple[str, str]:
    """Write data/models/<backbone> and its even cut in the current folder; return both names."""
    recipe = train_setup.recipe(backbone=backbone, weights=None, trainable=["all"], loss="bce")
    whole = network.build(recipe, labels=len(LABELS), seed=0, fold=0, pretrained=False)
    groups = cutting.groups(whole, size_px=size_px)
    evidence = Evidence(seed=0, fold=0, taylor={})
    scores = {group.name: l1_norm.scores(whole, group, evidence) for group in groups}
    encoded = encoding.encode(whole, groups, scores, size_px=size_px, multiple=multiple())
    limit = int(SHARE * encoded.macs(encoded.whole))
    kept = encoded.kept(baselines.uniform(encoded, macs=limit))
    names = backbone, f"{backbone}-uniform_{SHARE * 100:.0f}"
    for name, own in zip(names, ({}, kept), strict=True):
        cutting.cut(whole, own, size_px=size_px)
        fitted = loop.Fitted(dict(whole.state_dict()), best_epoch=0, history=[])
        saved = models.Saved(fitted, recipe.backbone_options, pruning=own, temperature=1.0)
        with artifacts.folder(Path("data/models") / name) as folder:
            models.save(folder, recipe, [saved], labels=LABELS, size_px=size_px)
    return names


def measure(names: tuple[str, str], *, rounds: int, seconds: float) -> dict[str, Any]:
    """Return what both say of themselves, their rows, and how the cut did within one core and 512 MB."""
    scratch = Path("exported")
    scratch.mkdir(exist_ok=True)
    found = [subjects.subject(name, size_px=SIZE_PX, scratch=scratch) for name in names]
    images = Path("images.npy")
    artifacts.write_array(images, subjects.images(SIZE_PX))
    asked = [x for x in contenders(found, batch=1, threads=1) if x.engine != "openvino"]
    before = host.moment()
    measured = turns.side_by_side(
        asked, images, LIBRARY, rounds=rounds, seconds=seconds, words=f"{names[0]}, one image"
    )
    load = host.between(before, host.moment())
    expected = {
        one.contender.model: one.ready["output"]
        for one in measured
        if one.contender.engine == "pytorch"
    }
    cut = [x for x in asked if x.model == names[1] and x.engine == "onnxruntime"]
    return {
        "models": {one.name: one.about() for one in found},
        "rows": report.rows(measured, first=names[0]),
        "edge": edge.try_all(cut, images, LIBRARY, expected=expected),
        "load": load,
    }


def lines(backbone: str, tree: dict[str, Any]) -> tuple[list[str], bool]:
    """Return what was found of one network, line by line, and whether its promises hold."""
    (row,) = (x for x in tree["rows"] if x["engine"] == "onnxruntime" and x["model"] != backbone)
    about = tree["models"][row["model"]]
    low, beside, high = row["times_first"]
    _, torch, _ = row["times_pytorch"]
    (small,) = tree["edge"]["rows"]
    answer = small.get("why")
    if small["answers"]:
        answer = f"{small['quartiles_ms'][1]:.2f} ms, peak {small['peak_bytes'] / 1e6:.0f} MB"
    held = beside >= PROMISES[backbone] and torch >= PYTORCH and small["answers"]
    said = [
        f"{row['model']}: {row['quartiles_ms'][1]:.2f} ms, {about['parameters']:,} parameters, "
        f"{about['macs']:,} MACs, {about['files']['float32']['bytes'] / 1e6:.2f} MB, peak "
        f"{row['peak_bytes'] / 1e6:.0f} MB",
        f"  {beside:.2f} x its parent [{low:.2f}, {high:.2f}] (promised {PROMISES[backbone]} x), "
        f"{torch:.2f} x its parent in eager PyTorch (promised {PYTORCH:g} x): "
        + ("held" if held else "NOT HELD"),
        f"  within one core and 512 MB: {answer} ({tree['edge']['bounds']})",
    ]
    return said, held


def main() -> None:
    """Measure both networks, print what was found, exit 1 if less than was promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.latency", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--rounds", type=int, default=12, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn, about")
    given = parser.parse_args()
    numerics.exact_torch()
    found, held = {}, True
    with tempfile.TemporaryDirectory(prefix="cxrepro-latency-") as name:
        os.chdir(name)
        for backbone in PROMISES:
            found[backbone] = measure(lay(backbone), rounds=given.rounds, seconds=given.seconds)
            said, own = lines(backbone, found[backbone])
            held &= own
            print("\n".join(said), flush=True)
        os.chdir("/")
    artifacts.write_json(REPORT, {"host": host.about(), "multiple": multiple(), **found})
    sys.exit(not held)


if __name__ == "__main__":
    main()
