"""How a search scales: one process, two, and a Dask cluster of two workers; `python -m tests.bench.workers`.

Needs data/prepared and data/splits.csv of this checkout (`make repro TARGET=preprocess`). The search
of params.yaml runs with `--generations` generations in a folder of its own, as often as `--rounds`
says, each way in turn; its outputs must be the same bytes each time. With one process what is spent
in `loop.fit` is measured too: the rest is overhead (imports, data, counting, figures, records).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import stages  # noqa: F401  the exact profile, before anything numerical is loaded
from cxr import params
from tests.cluster import running
from tests.conftest import ROOT

WAYS = ("one process", "two processes", "Dask, two workers")


def project(folder: Path, *, generations: int) -> str:
    """Lay out the code (Dask's workers work in its folder) and what a longer search reads; return its run."""
    for name in ("cxr", "stages", "flows", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "numerics.lock", folder / "numerics.lock")
    tree = params.read_yaml(ROOT / "params.yaml")
    run = str(tree["search"]["runs"][0])
    tree["search"]["recipes"][run]["generations"] = generations
    shutil.copytree(ROOT / "data/prepared", folder / "data/prepared")
    shutil.copyfile(ROOT / "data/splits.csv", folder / "data/splits.csv")
    YAML(typ="safe", pure=True).dump(tree, folder / "params.yaml")
    return run


def inside(run: str) -> None:
    """Run the stage in this process; print its seconds, and those spent in training here."""
    from cxr.search import fitness
    from stages import search

    trained, fit = [0.0], fitness.loop.fit

    def timed(*words: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return fit(*words, **options)
        finally:
            trained[0] += time.perf_counter() - start

    fitness.loop.fit = timed  # type: ignore[assignment]
    start = time.perf_counter()
    search.main(run)
    print(json.dumps({"wall": time.perf_counter() - start, "training": trained[0]}))


def once(folder: Path, run: str, **more: str) -> dict[str, Any]:
    """Search from nothing; return the seconds and a hash of all outputs."""
    for name in ("data/.scratch", "data/searched", "reports"):
        shutil.rmtree(folder / name, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.workers", "--inside", run],
        cwd=folder, env={**os.environ, **more},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    files = sorted(x for y in ("data/searched", "reports") for x in (folder / y).rglob("*"))
    content = hashlib.sha256(b"".join(x.read_bytes() for x in files if x.is_file()))
    return {**json.loads(done.stdout.splitlines()[-1]), "sha256": content.hexdigest()}


def measure(folder: Path, run: str, *, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """Run each way in turn; print each result as it comes."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with running.cluster(folder / "dask", dict(os.environ)) as dask:
        dask.work(2, cwd=folder)
        settings = dict(zip(WAYS, ({"CXR_WORKERS": "1"}, {"CXR_WORKERS": "2"}, {"CXR_CLUSTER": dask.address}), strict=True))  # fmt: skip
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(once(folder, run, **settings[way]))
                print(f"{way}: {found[way][-1]['wall']:.1f} s", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.inside:
        inside(words.inside)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "project"
        run = project(folder, generations=words.generations)
        print(f"{words.rounds} round(s) of 3 searches; load {os.getloadavg()[0]:.1f}", flush=True)
        found = measure(folder, run, rounds=words.rounds)
    hashes = {x["sha256"] for results in found.values() for x in results}
    one, two, dask = (statistics.median(x["wall"] for x in found[way]) for way in WAYS)
    share = statistics.median(1 - x["training"] / x["wall"] for x in found[WAYS[0]])
    print(f"two processes: {one / two:.2f} x one; Dask: {dask / two:.3f} of two processes' time")
    print(f"overhead outside training, one process: {share:.1%}; outputs differ: {len(hashes) > 1}")


if __name__ == "__main__":
    main()
