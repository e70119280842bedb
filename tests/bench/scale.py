"""ChestX-ray14's size: 112,120 images of 1024 px from ingest to prepared, timed against decoding alone.

`python -m tests.bench.scale` makes the data set once (tests/bench/archives.py; the real label tables
come from CXR_REAL_DATA/nih14_lungmasked or --labels), then, in a clean clone each step once:

1. baseline: two plain OpenCV processes read the same members, decode and resize to 224 px, no more
2. full: DVC runs ingest, merge, validate, split and preprocess; time and most memory of all processes
3. baseline again: other work on the machine shows as a difference
4. no-op: the same command once more
5. incremental: a thirteenth archive with --extra more images, and the tables with their rows
6. from nothing: another clean clone with all thirteen; every output must be the same, byte for byte

What a step found is kept in results.json: a call that was ended goes on with the step that it was
in. `--share 0.1` takes a tenth of the images, as files of their own. `--working-tree` measures what is
not committed yet.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxr import numerics
from flows import pipeline, study
from tests.bench import archives, memory

ROOT = Path(__file__).resolve().parents[2]
DATASET = "chestxray14"
STAGES = (f"ingest@{DATASET}", "merge", "validate", "split", "preprocess")
SIZE_PX = 224
PROCESSES = 2


class Scale:
    """The folder in which one size is measured, and what was found so far."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder, self.options = folder, options
        self.whole, self.more = folder / "raw", folder / "raw-more"
        self._results = folder / "results.json"
        self.found: dict[str, Any] = {}
        if self._results.exists():
            self.found = json.loads(self._results.read_text(encoding="utf-8"))

    def step(self, name: str, words: str, work: Callable[[], dict[str, Any]]) -> None:
        """Work a step unless it was done, keep and print what it found."""
        if name not in self.found:
            print(f"{name}: {words}", flush=True)
            self.found[name] = work()
            partial = self._results.with_name(".results.partial")
            partial.write_text(json.dumps(self.found, indent=1), encoding="utf-8")
            partial.replace(self._results)
        print(f"  {name}: {json.dumps(self.found[name])}", flush=True)

    def make(self) -> dict[str, Any]:
        """Make the archives."""
        from tests.bench import phantoms

        pictures, kind = phantoms.images(), self.options.share < 1
        share = self.options.share
        archives.make(self.whole, self.options.labels, pictures, share=share, copies=kind)
        archives.grow(self.more, self.whole, pictures, share=self.options.extra, copies=kind)
        counts = [_count(folder) for folder in (self.whole, self.more)]
        size = sum(path.stat().st_size for path in sorted(self.whole.glob("*.tar")))
        return {"images": counts[0], "more": counts[1], "gigabytes": round(size / 1e9, 2)}

    def baseline(self) -> dict[str, Any]:
        """Decode and resize every member in plain processes, each bound to a core."""
        tars = [str(path) for path in sorted(self.whole.glob("*.tar"))]
        environment = {
            k: v for k, v in os.environ.items() if k not in (*numerics.PINS, "CXR_PINNED")
        }
        command = [sys.executable, "-m", "tests.bench.scale", "--plain"]
        start = time.perf_counter()
        running = [
            subprocess.Popen([*command, str(part), *tars], cwd=ROOT, env=environment)
            for part in range(PROCESSES)
        ]
        codes = [process.wait() for process in running]
        if any(codes):
            raise ValueError("the baseline failed: see above")
        return {"seconds": round(time.perf_counter() - start, 1)}

    def full(self) -> dict[str, Any]:
        """Run everything in a clean clone."""
        self.clone("clone", self.whole)
        return self.repro("clone")

    def noop(self) -> dict[str, Any]:
        """Run nothing: all is up to date."""
        return self.repro("clone")

    def incremental(self) -> dict[str, Any]:
        """Add the thirteenth archive and the longer tables."""
        _link(self.more, self.folder / "clone/data/raw" / DATASET)
        result = self.repro("clone")
        return {**result, "outputs": _outputs(self.folder / "clone")}

    def from_nothing(self) -> dict[str, Any]:
        """Run all thirteen archives in another clean clone and compare."""
        shutil.rmtree(self.folder / "clone", ignore_errors=True)  # its hashes are kept
        self.clone("clone-2", self.whole)
        _link(self.more, self.folder / "clone-2/data/raw" / DATASET)
        result, outputs = self.repro("clone-2"), _outputs(self.folder / "clone-2")
        before = self.found["incremental"]["outputs"]
        odd = sorted(path for path in {*before, *outputs} if before.get(path) != outputs.get(path))
        return {**result, "compared": len(outputs), "different": odd}

    def clone(self, name: str, raw: Path) -> None:
        """Make a clean clone with the data set and a study of it."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
        if self.options.working_tree:
            _overlay(folder)
        (folder / pipeline.LOCK_FILE).unlink(missing_ok=True)  # it speaks of another study
        _link(raw, folder / "data/raw" / DATASET)
        (folder / "studies/scale").mkdir()
        text = json.dumps(_study(folder), indent=1)  # JSON is YAML
        (folder / "studies/scale/study.yaml").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "flows.study", "scale"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)

    def repro(self, name: str) -> dict[str, Any]:
        """Bring preprocess up to date; return seconds in all and by stage, and the memory."""
        folder = self.folder / name
        host = folder / "reports/host"
        shutil.rmtree(host, ignore_errors=True)
        ours = (*numerics.PINS, "CXR_PINNED")
        environment = {k: v for k, v in pipeline.environment().items() if k not in ours}
        environment |= {
            "CXR_WORKERS": str(PROCESSES),
            "DVC_SITE_CACHE_DIR": str(folder / ".dvc/site"),
        }
        command = [sys.executable, "-m", "dvc", "repro", self.options.target]
        seconds, gigabytes = memory.run(
            command, cwd=folder, env=environment, log=self.folder / f"{name}.log"
        )
        stages = {
            stage: json.loads((host / f"{stage}.json").read_text(encoding="utf-8"))["seconds"]
            for stage in STAGES
            if (host / f"{stage}.json").exists()
        }
        return {"seconds": round(seconds, 1), "gigabytes": round(gigabytes, 2), "stages": stages}

    def verdict(self) -> None:
        """Print what was promised beside what was found."""
        found = self.found
        alone = (found["baseline"]["seconds"] + found["baseline again"]["seconds"]) / 2
        full, stages = found["full"]["seconds"], found["full"]["stages"]
        reading = stages[STAGES[0]] + stages.get("preprocess", 0.0)
        share = found["incremental"]["seconds"] / full
        peak = max(found[step]["gigabytes"] for step in ("full", "incremental", "from nothing"))
        odd = found["from nothing"]["different"]
        print(f"""
{found["make"]["images"]} images, {PROCESSES} processes; decoding and resizing alone {alone:.0f} s
ingest and preprocess   {reading / alone:.2f} x that (promised 1.25)
all, DVC's hashing too  {full / alone:.2f} x that: {full:.0f} s
most memory             {peak:.2f} GB (promised 1.5)
no-op                   {found["no-op"]["seconds"]:.1f} s (promised 2)
1 % more images         {share:.1%} of the full run (promised 5 %)
bytes as from nothing   {"the same" if not odd else "DIFFERENT: " + ", ".join(odd)}""")


def plain(part: int, tars: list[str]) -> None:
    """What the baseline does: every second member, read, decoded, resized, forgotten."""
    import cv2
    import numpy as np

    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[part]})
    cv2.setNumThreads(1)
    for tar in tars:
        with Path(tar).open("rb") as file:
            for offset, size in archives.members(Path(tar))[part::PROCESSES]:
                file.seek(offset)
                content = np.frombuffer(file.read(size), np.uint8)
                image = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
                assert image is not None, tar
                cv2.resize(image, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)


def _study(clone: Path) -> dict[str, Any]:
    """Return the study: one data set, 224 px, repeated images accepted and not kept together."""
    from cxr.datasets import chestxray14

    defaults = study.parse((clone / "studies/defaults.yaml").read_text(encoding="utf-8"))
    changes = study.parse((clone / "studies/phantom/study.yaml").read_text(encoding="utf-8"))
    critical = [
        path.stem
        for path in sorted((clone / "cxr/checks").glob("[a-z]*.py"))
        if re.search(r'^SEVERITY = "critical"', path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    changes["about"] = "The size of ChestX-ray14 from 200 phantoms: what it costs, nothing else."
    changes["ingest"] = {"datasets": [DATASET]}
    changes["merge"] = {"labels": {name: [name] for name in chestxray14.LABELS}}
    changes["validate"] = {"accepted": dict.fromkeys(critical, "200 phantoms under 112,120 names")}
    known = {"protocol": "by_image", "near_duplicates": False}  # 200 pictures: one group else
    changes["split"] = {key: value for key, value in known.items() if key in defaults["split"]}
    steps = [{"name": "resize", "size_px": SIZE_PX, "fit": "stretch"}]
    changes["preprocess"] = {"steps": steps}
    return changes


def _count(folder: Path) -> int:
    return sum(len(archives.members(path)) for path in sorted(folder.glob("*.tar")))


def _link(source: Path, target: Path) -> None:
    """Give the files of `source` a second name in `target`, in place of older ones."""
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        (target / path.name).unlink(missing_ok=True)
        os.link(path, target / path.name)


def _overlay(clone: Path) -> None:
    """Bring what differs in the working tree, new and removed files too, into the clone."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    said = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted({*said.split("\0")} - {""}):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, clone / name)
        else:
            (clone / name).unlink(missing_ok=True)


def _outputs(clone: Path) -> dict[str, str]:
    """Return the hash of every output of the stages that ran."""
    lock = pipeline.read_lock(clone)
    return {
        out["path"]: out["md5"] for stage in STAGES for out in lock.get(stage, {}).get("outs", [])
    }


def main() -> None:
    """Say what it takes, then work the steps that are not done."""
    real = os.environ.get("CXR_REAL_DATA")
    home = Path(os.environ.get("CXR_BENCH_FOLDER") or Path.home() / ".cache/cxrepro-bench")
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--folder", type=Path, default=home, help="for data and clones")
    parser.add_argument("--labels", type=Path, help="folder of ChestX-ray14's tables")
    parser.add_argument("--share", type=float, default=1.0, help="of the images; below 1 as copies")
    parser.add_argument("--extra", type=float, default=0.01, help="share of the thirteenth archive")
    parser.add_argument("--target", default=STAGES[-1], help="the last stage to run")
    parser.add_argument("--working-tree", action="store_true", help="not only what is committed")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    parser.add_argument("--plain", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plain:
        plain(int(options.plain[0]), options.plain[1:])
        return
    numerics.enter()
    if not options.labels and not real:
        parser.error("--labels is missing, and CXR_REAL_DATA is not set")
    options.labels = options.labels or Path(str(real), "nih14_lungmasked")
    scale = Scale(options.folder / f"scale-{options.share:g}", options)
    scale.folder.mkdir(parents=True, exist_ok=True)
    if options.again:
        scale.found = {key: found for key, found in scale.found.items() if key == "make"}
    work(scale)


def work(scale: Scale) -> None:
    """Work all steps and print the verdict."""
    images = round(112_120 * scale.options.share)
    alone = images * 0.009 / PROCESSES
    disk = images * (1e-5 + (4.5e-4 if scale.options.share < 1 else 0) + 1.6e-4) + 1.2
    free = shutil.disk_usage(scale.folder).free / 1e9
    print(f"{images} images: two baselines and two full runs, {PROCESSES} processes, some "
          f"{5 * alone / 60:.0f} minutes; {disk:.0f} GB of {free:.0f} GB free in {scale.folder}")  # fmt: skip
    if disk > free:
        sys.exit("error: too little space: give --folder on another disk, or --share 0.1")
    scale.step("make", "writing the archives", scale.make)
    scale.step("baseline", "decoding and resizing alone", scale.baseline)
    scale.step("full", "ingest to preprocess in a clean clone", scale.full)
    scale.step("baseline again", "decoding and resizing alone", scale.baseline)
    scale.step("no-op", "nothing to do", scale.noop)
    scale.step("incremental", "a thirteenth archive", scale.incremental)
    scale.step("from nothing", "all thirteen in another clean clone", scale.from_nothing)
    scale.verdict()


if __name__ == "__main__":
    main()
