"""ingest: read one data set's raw files into its manifest, one row per image.

The data set's reader in cxr/datasets says which images there are, whose they are and what they
show; here each is decoded once, strictly, and measured: hashes, size, grey statistics, a thumbnail.
An image that can't be decoded keeps its row, with the reason in the column `fault`, for validate to
judge; a row without a file and an image without a row go to the table of gaps. Archives are read in
place, and those that were read before and have not changed are not read again (cxr/intake).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from cxr.intake import Keep

RAW = Path("data/raw")
MANIFESTS = Path("data/manifests")
SCRATCH = Path("data/.scratch")
SHARED_PATIENTS = ("nih:",)
"""Ids that mean one person in every data set that took images from the same collection."""


def ingest(root: Path, dataset: str, keep: Keep) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Return manifest, thumbnails (N, 32, 32) and gaps of the data set whose raw files lie in `root`."""
    import pandas as pd

    from cxr import archives, intake, manifest, plugins
    from cxr.datasets import _gaps

    reader = plugins.load("datasets", dataset)
    intake.stream_packed(root, keep)
    listed = reader.read(root)
    files = archives.members(root)
    table = listed[listed["image"].isin(files)].sort_values(
        "image", kind="stable", ignore_index=True
    )
    if table.empty:
        first = listed["image"].iloc[0]
        raise ValueError(
            f"{root}: of the {len(listed)} images that {dataset}'s tables list not one is there, "
            f"first {first!r}: {reader.SOURCE.hint}"
        )
    facts, thumbnails = intake.take_in(root, table["image"].tolist(), keep)
    table = _named(pd.concat([table, facts], axis="columns"), dataset)
    absent, unlisted = _gaps.between(listed, files, reader)
    rows = [(name, "absent") for name in absent] + [(name, "unlisted") for name in unlisted]
    gaps = pd.DataFrame(rows, columns=["image", "gap"], dtype=object)
    gaps["image"] = f"{dataset}/" + gaps["image"]
    return manifest.check(table, where=str(root)), thumbnails, gaps


def _named(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the rows with data set, kind, and ids that are unique across data sets."""
    from cxr import manifest

    table = table.astype(dict.fromkeys(manifest.WHOLE_NUMBERS, "Int64"))
    table["dataset"] = dataset
    table["image"] = f"{dataset}/" + table["image"]
    if "kind" not in table:
        table["kind"] = "image"
    # who is not named is nobody else: an image without a patient is a patient of its own
    shared = table["patient"].str.startswith(SHARED_PATIENTS)
    named = table["patient"].where(shared, f"{dataset}:" + table["patient"])
    table["patient"] = named.where(table["patient"] != "", table["image"])
    return table


def keep(dataset: str) -> Keep:
    """Return where facts are kept, and prepared pixels if params.yaml says how to prepare.

    The steps of preprocess are only a hint here: they decide what is kept for it, and no output.
    """
    from cxr import intake, params
    from cxr.intake import pixels

    folder = SCRATCH / "intake" / dataset
    steps = params.hint("preprocess.steps")
    try:
        return intake.Keep(folder, SCRATCH / "pixels" / pixels.key(steps), pixels.chain_of(steps))
    except (ValueError, TypeError, AttributeError):
        return intake.Keep(folder)  # the preflight and preprocess say what is wrong with them


def main(dataset: str) -> str:
    """Read data/raw/<dataset>, write its manifest, thumbnails and gaps into data/manifests."""
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
    table, thumbnails, gaps = ingest(root, dataset, keep(dataset))
    manifest.write(MANIFESTS / f"{dataset}.csv", table)
    manifest.write_thumbnails(MANIFESTS / f"{dataset}.thumbnails.npy", thumbnails)
    manifest.write_gaps(MANIFESTS / f"{dataset}.gaps.csv", gaps)
    return _words(table, gaps)


def _words(table: pd.DataFrame, gaps: pd.DataFrame) -> str:
    from cxr import manifest

    counts = ", ".join(
        f"{name} {(table[f'label:{name}'] == 1).sum()}" for name in manifest.labels(table)
    )
    notes = {
        "can't be decoded": int((table["fault"] != "").sum()),
        "are listed and not there": int((gaps["gap"] == "absent").sum()),
        "are there and not listed": int((gaps["gap"] == "unlisted").sum()),
    }
    faults = "".join(f"; {count} {words}" for words, count in notes.items() if count)
    return f"{len(table)} images of {table['patient'].nunique()} patients ({counts}){faults}"


if __name__ == "__main__":
    run("ingest", main, None, item="dataset")
