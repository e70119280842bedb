"""ingest: read one data set's raw files into its manifest, one row per image.

The data set's reader in cxr/datasets says which images there are, whose they are and what they
show; here each is decoded once, strictly, and measured: hashes, size, grey statistics. An image
that can't be decoded keeps its row, with the reason in the column `fault`, for validate to judge.
Archives are read in place.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages._stage import run

if TYPE_CHECKING:
    import pandas as pd

RAW = Path("data/raw")
MANIFESTS = Path("data/manifests")


def ingest(root: Path, dataset: str) -> pd.DataFrame:
    """Return the manifest of the data set whose raw files lie in `root`."""
    import pandas as pd

    from cxr import manifest, plugins, workers
    from cxr.datasets import _facts

    table = plugins.load("datasets", dataset).read(root).reset_index(drop=True)
    # absolute: a worker may have been started in another folder
    items = [(root.absolute(), member) for member in table["image"]]
    facts = pd.DataFrame(workers.run(_facts.examine, items, words=f"reading {dataset}", chunk=32))
    facts = facts.astype(dict.fromkeys(_facts.WHOLE_NUMBERS, "Int64"))
    table = pd.concat([table, facts], axis="columns")
    table["dataset"] = dataset
    table["image"] = f"{dataset}/" + table["image"]
    # who is not named is nobody else: an image without a patient is a patient of its own
    named = f"{dataset}:" + table["patient"]
    table["patient"] = named.where(table["patient"] != "", table["image"])
    return manifest.check(table, where=str(root))


def main(dataset: str) -> str:
    """Read data/raw/<dataset>, write data/manifests/<dataset>.csv."""
    from cxr import manifest, plugins, progress

    plugins.check("datasets", dataset)
    root = RAW / dataset
    if not root.is_dir():
        hint = plugins.load("datasets", dataset).SOURCE.hint
        raise ValueError(
            f"{root} is missing: get the data ({hint}), then "
            f"`make data DATASET={dataset} FROM=<folder>`"
        )
    progress.say(f"reading the images in {root}, measuring each, writing one row per image")
    table = ingest(root, dataset)
    manifest.write(MANIFESTS / f"{dataset}.csv", table)
    counts = ", ".join(
        f"{name} {(table[f'label:{name}'] == 1).sum()}" for name in manifest.labels(table)
    )
    faults = (table["fault"] != "").sum()
    broken = f"; {faults} can't be decoded" if faults else ""
    return f"{len(table)} images of {table['patient'].nunique()} patients ({counts}){broken}"


if __name__ == "__main__":
    run("ingest", main, None, item="dataset")
