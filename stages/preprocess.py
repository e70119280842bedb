"""preprocess: bring every image to one size through the steps of params.yaml, into uint8 shards.

Images come in the order of their ids, a few at a time in memory: ready where ingest prepared them on
its way or an earlier run did (cxr/intake/pixels.py), else decoded from the raw archives in place; the
bytes are the same. Images that split excluded from every fold are left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.intake.pixels import Pixels

RAW = Path("data/raw")
MANIFEST = Path("data/manifest.csv")
SPLITS = Path("data/splits.csv")
PREPARED = Path("data/prepared")
SCRATCH = Path("data/.scratch")
_AT_ONCE = 1024  # images on their way through the workers


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of preprocess."""

    steps: list[dict[str, Any]]
    """in this order; each `{name: <file in cxr/preprocessing>, …its own parameters}`, one a resize"""


def kept(manifest: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the manifest's rows that some fold uses, sorted by image."""
    missing = set(manifest["image"].tolist()) ^ set(splits["image"].tolist())
    if missing:
        raise ValueError(
            f"{SPLITS} and {MANIFEST} differ in {len(missing)} images, first {min(missing)}: "
            "run `dvc repro split`"
        )
    folds = [name for name in splits.columns if name.startswith("fold_")]
    excluded = splits["image"][(splits[folds] == "excluded").all(axis="columns")]
    rows = manifest[~manifest["image"].isin(excluded)]
    return rows.sort_values("image", kind="stable", ignore_index=True)


def pictures(
    raw: Path, rows: pd.DataFrame, chain: Sequence[Any], ready: Pixels
) -> Iterator[np.ndarray]:
    """Yield each row's image, ready or read below `raw` and sent through the chain, in the rows' order."""
    from cxr import workers
    from cxr.preprocessing import _chain

    members = rows["image"].str.partition("/")[2]
    items = [
        (raw.absolute() / dataset, member, sha256, tuple(chain))  # a worker may run elsewhere
        for dataset, member, sha256 in zip(rows["dataset"], members, rows["sha256"], strict=True)
    ]
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        found = [ready.image(sha256) for _, _, sha256, _ in some]
        todo = [item for item, image in zip(some, found, strict=True) if image is None]
        words = f"preparing from image {rows.index[start] + 1} of {rows.index[-1] + 1}"
        made = iter(workers.run(_chain.prepare, todo, words=words, chunk=32))
        yield from (next(made) if image is None else image for image in found)


def shards(table: pd.DataFrame, rows: pd.DataFrame) -> list[slice]:
    """Return the rows of each shard: those of `rows` among the images of one of the manifest's shards."""
    from cxr.intake import pixels

    names = table["image"].sort_values(kind="stable")
    left = names.isin(rows["image"]).to_numpy()
    ends = [int(left[part].sum()) for part in pixels.shards(names.tolist())]
    stops = list(itertools.accumulate(ends))
    cut = (slice(stop - length, stop) for stop, length in zip(stops, ends, strict=True) if length)
    return list(cut)


def main() -> str:
    """Read manifest, splits and raw images, write data/prepared."""
    from cxr import artifacts, manifest, params, prepared, progress
    from cxr.intake import pixels

    settings = params.load(Params, "preprocess")
    chain = pixels.chain_of(settings.steps)
    table = manifest.read(MANIFEST)
    rows = kept(table, artifacts.read_csv(SPLITS, dtype=str, keep_default_na=False))
    words = ", ".join(name for name, _ in chain)
    progress.say(f"sending {len(rows)} images through {words}")
    ready = pixels.Pixels(SCRATCH / "pixels" / pixels.key(settings.steps), rows["sha256"].tolist())
    size_px = prepared.write(
        PREPARED,
        lambda part: pictures(RAW, rows.iloc[part], chain, ready),
        rows,
        shards=shards(table, rows),
        kept=ready,
    )
    ready.forget_others()
    excluded = len(table) - len(rows)
    notes = f"; {excluded} excluded by split" if excluded else ""
    return f"{len(rows)} images of {size_px} x {size_px} px{notes}"


if __name__ == "__main__":
    run("preprocess", main, Params)
