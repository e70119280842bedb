"""preprocess: bring every image to one size through the steps of params.yaml, into uint8 shards.

Images come from the raw archives in place and go out in the order of their ids, at most a shard
at a time in memory. Images that split excluded from every fold are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RAW = Path("data/raw")
MANIFEST = Path("data/manifest.csv")
SPLITS = Path("data/splits.csv")
PREPARED = Path("data/prepared")
_AT_ONCE = 1024  # images on their way through the workers


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of preprocess."""

    steps: list[dict[str, Any]]
    """in this order; each `{name: <file in cxr/preprocessing>, …its own parameters}`, one a resize"""


def kept(manifest: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Return the manifest's rows that some fold uses, sorted by image."""
    missing = set(manifest["image"]) ^ set(splits["image"])
    if missing:
        raise ValueError(
            f"{SPLITS} and {MANIFEST} differ in {len(missing)} images, first {min(missing)}: "
            "run `dvc repro split`"
        )
    folds = [name for name in splits.columns if name.startswith("fold_")]
    excluded = splits["image"][(splits[folds] == "excluded").all(axis="columns")]
    rows = manifest[~manifest["image"].isin(excluded)]
    return rows.sort_values("image", kind="stable", ignore_index=True)


def pictures(raw: Path, rows: pd.DataFrame, chain: Sequence[Any]) -> Iterator[np.ndarray]:
    """Yield each row's image, read below `raw` and sent through the chain, in the rows' order."""
    from cxr import workers
    from cxr.preprocessing import _chain

    members = rows["image"].str.partition("/")[2]
    items = [
        (raw.absolute() / dataset, member, sha256, tuple(chain))  # a worker may run elsewhere
        for dataset, member, sha256 in zip(rows["dataset"], members, rows["sha256"], strict=True)
    ]
    for start in range(0, len(items), _AT_ONCE):
        some = items[start : start + _AT_ONCE]
        words = f"preparing from image {start + 1} of {len(items)}"
        yield from workers.run(_chain.prepare, some, words=words, chunk=32)


def main() -> str:
    """Read manifest, splits and raw images, write data/prepared."""
    from cxr import artifacts, manifest, params, prepared, progress
    from cxr.preprocessing import _chain

    settings = params.load(Params, "preprocess")
    chain = _chain.build(settings.steps, where=f"{params.PARAMS_FILE}: preprocess.steps")
    table = manifest.read(MANIFEST)
    rows = kept(table, artifacts.read_csv(SPLITS, dtype=str, keep_default_na=False))
    words = ", ".join(name for name, _ in chain)
    progress.say(f"sending {len(rows)} images through {words}")
    size_px = prepared.write(PREPARED, pictures(RAW, rows, chain), rows)
    excluded = len(table) - len(rows)
    notes = f"; {excluded} excluded by split" if excluded else ""
    return f"{len(rows)} images of {size_px} x {size_px} px{notes}"


if __name__ == "__main__":
    run("preprocess", main, Params)
