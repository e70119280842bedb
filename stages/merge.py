"""merge: join the data sets' manifests into one, with the study's own labels.

`merge.labels` maps each label of the study to the labels of the data sets that mean it. Of the
sources that an image's own data set has: one present makes the label 1, all absent make it 0, an
unknown one among absent ones makes it unknown; a data set without any leaves it unknown.

A label that the map does not name is dropped. Images whose findings were all dropped with it (they
show something, but nothing that the study asks for) are neither cases nor controls and are left
out; with `merge.unmapped: negative` they stay, with all labels absent, as multi-label studies want
it. Images that show nothing stay. Masks that a data set files among its images are left out, unless
`merge.masks` repeats the works that took them in.

`merge.leave_out_sources` names sources whose images stay out, such as a collection of children among
adults, `merge.leave_out_patients` a list of patients: those whom a network will be tested on later,
after a second transfer, must not teach it in the first. `merge.sample` then keeps so many X-rays of a label, those whose patient has the lowest keyed hash: images
that are added later put out no more than come in, and an X-ray takes its mask along. Labels without
a number, and images without a label, stay whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stages._bound import Bound, bound
from stages._stage import run

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MANIFESTS = Path("data/manifests")
MANIFEST = Path("data/manifest.csv")
THUMBNAILS = Path("data/thumbnails.npy")
GAPS = Path("data/gaps.csv")


@dataclass(frozen=True, kw_only=True)
class Params:
    """Knobs of merge."""

    labels: dict[str, list[str]]
    """label of the study: labels of the data sets that mean it; their order is the classes' order"""
    unmapped: Literal["leave_out", "negative"]
    """images whose only findings the map does not name: leave_out, or negative for every label"""
    masks: bool
    """whether masks filed among the images are taken for images, as some older works did"""
    leave_out_sources: list[str]
    """sources whose images are left out, as the data sets name them"""
    leave_out_patients: Bound | None
    """null, or a table with the column `patient`, as the manifest names them: their images stay out"""
    sample: dict[str, int] | None
    """label of the study: how many of its X-rays to keep, drawn under the study's seed; null: all"""

    def __post_init__(self) -> None:
        for label, count in (self.sample or {}).items():
            if label not in self.labels:
                raise ValueError(
                    f"sample.{label}: the study has no such label: known are {', '.join(self.labels)}"
                )
            if count < 1:
                raise ValueError(f"sample.{label} must be at least 1, not {count}")


def merge(
    manifests: Sequence[pd.DataFrame], settings: Params, *, patients: Collection[str], seed: int
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the joined table with the study's labels, and how many images were left out, by reason.

    The images of `patients` stay out. Only a sample depends on the `seed`.
    """
    import pandas as pd

    from cxr import manifest

    _check_labels(manifests, settings.labels)
    parts = [_relabelled(part, settings.labels) for part in manifests]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    unwanted = _of_sources(table, settings.leave_out_sources)
    known = table["patient"].isin(patients)
    unasked = pd.concat([part for _, part in parts], ignore_index=True)
    if settings.unmapped == "negative":
        unasked[:] = False
    masks = (table["kind"] == "mask") & (not settings.masks)
    left_out = {
        "with dropped labels": int((unasked & ~masks).sum()),
        "masks": int(masks.sum()),
        "of sources left out": int((unwanted & ~unasked & ~masks).sum()),
        "of patients left out": int((known & ~unwanted & ~unasked & ~masks).sum()),
    }
    table = table[~unasked & ~masks & ~unwanted & ~known].astype(
        dict.fromkeys(manifest.WHOLE_NUMBERS, "Int64")
    )
    table = table.sort_values("image", kind="stable", ignore_index=True)
    manifest.check(table, where="merge")
    drawn = sampled(table, settings.sample or {}, seed=seed)
    left_out["for the sample"] = int((~drawn).sum())
    return table[drawn].reset_index(drop=True), left_out


def sampled(table: pd.DataFrame, counts: Mapping[str, int], *, seed: int) -> pd.Series:
    """Return which rows stay: of each label in `counts` so many X-rays, with their masks; all others.

    Patients are taken in the order of a hash of their names, whole but for the last one. Files that
    can't be decoded are not drawn. Raises ValueError if there are fewer than asked for, or if an image
    has several labels, of which none could say what it counts for.
    """
    import pandas as pd

    from cxr import manifest, seeding

    stays = pd.Series(True, index=table.index)
    if not counts:
        return stays
    present = table[manifest.label_columns(table)] == 1
    _refuse_several(table, present)
    for label, count in counts.items():
        rows = table[present[f"{manifest.LABEL_PREFIX}{label}"]]
        xrays = rows[(rows["kind"] == "image") & (rows["fault"] == "")]
        if len(xrays) < count:
            raise ValueError(
                f"merge.sample.{label}: {count} X-rays are asked for, but {len(xrays)} can be drawn "
                "from: ask for fewer, bring more, or write null to keep all"
            )
        place = {
            name: seeding.key(seed, "merge", "sample", name) for name in xrays["patient"].unique()
        }
        order = sorted(zip(xrays["patient"].map(place), xrays["image"], xrays.index, strict=True))
        drawn = [row for _, _, row in order[:count]]
        of_theirs = rows["patient"].isin(xrays.loc[drawn, "patient"])
        stays[rows.index] = rows.index.isin(drawn) | ((rows["kind"] == "mask") & of_theirs)
    return stays


def _of_sources(table: pd.DataFrame, sources: Sequence[str]) -> pd.Series:
    """Return which rows are of these sources; raise ValueError for one that no image has."""
    known = sorted(set(table["source"]))
    if strange := [source for source in sources if source not in known]:
        raise ValueError(
            f"merge.leave_out_sources: no image is of the source {strange[0]!r}: known are "
            f"{', '.join(known)}"
        )
    return table["source"].isin(sources)


def left_out_patients(named: Bound | None) -> list[str]:
    """Return the patients of the table that merge.leave_out_patients names, none if it names none."""
    from cxr import artifacts

    if named is None:
        return []
    file = bound(named, "merge.leave_out_patients")
    table = artifacts.read_csv(file, dtype=str, keep_default_na=False)
    if list(table.columns) != ["patient"] or (table["patient"] == "").any():
        raise ValueError(
            f"{file} of merge.leave_out_patients must have one column, patient, and a name in each row"
        )
    return list(table["patient"])


def _refuse_several(table: pd.DataFrame, present: pd.DataFrame) -> None:
    several = table["image"][present.sum(axis="columns") > 1]
    if len(several):
        raise ValueError(
            f"merge.sample: {len(several)} images have several labels, first {several.iloc[0]!r}: so "
            "many of each can't be counted out; write sample: null"
        )


def dropped(manifests: Sequence[pd.DataFrame], labels: Mapping[str, Sequence[str]]) -> list[str]:
    """List the data sets' labels that the map does not name, sorted."""
    from cxr import manifest

    used = {source for sources in labels.values() for source in sources}
    return sorted({name for part in manifests for name in manifest.labels(part)} - used)


def _check_labels(manifests: Sequence[pd.DataFrame], labels: Mapping[str, Sequence[str]]) -> None:
    from cxr import manifest

    known = list(dict.fromkeys(name for part in manifests for name in manifest.labels(part)))
    for target, sources in labels.items():
        for source in sources:
            if source not in known:
                raise ValueError(
                    f"merge.labels.{target}: no data set has the label {source!r}: "
                    f"known are {', '.join(known)}"
                )
    empty = [target for target, sources in labels.items() if not sources]
    if empty or not labels:
        raise ValueError(
            f"merge.labels{'.' + empty[0] if empty else ''} is empty: name the labels of the data "
            f"sets that it stands for, of {', '.join(known)}"
        )


def _relabelled(
    table: pd.DataFrame, labels: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, pd.Series]:
    """Return one data set's rows with the study's labels, and which show only what is not asked for."""
    from cxr import manifest

    old = table[manifest.label_columns(table)]
    columns = [f"label:{source}" for sources in labels.values() for source in sources]
    used = [name for name in old.columns if name in columns]
    unasked = (old == 1).any(axis="columns") & ~(old[used] == 1).any(axis="columns")
    result = table[list(manifest.COLUMNS)].copy()
    for target, sources in labels.items():
        meaning = old[[f"label:{source}" for source in sources if f"label:{source}" in old]]
        present, absent = (meaning == 1).any(axis="columns"), (meaning == 0).all(axis="columns")
        if meaning.shape[1] == 0:
            absent[:] = False
        result[f"label:{target}"] = present.astype(float).where(present | absent)
    return result, unasked


def main() -> str:
    """Read the manifests of ingest.datasets, write data/manifest.csv, its thumbnails and the gaps."""
    import pandas as pd

    from cxr import manifest, params, progress

    settings, seed = params.load(Params, "merge"), params.seed()
    datasets = params.value("ingest.datasets")
    progress.say(f"joining {', '.join(datasets)} under the labels {', '.join(settings.labels)}")
    manifests = [_read(dataset) for dataset in datasets]
    if names := dropped(manifests, settings.labels):
        progress.say(f"not named by merge.labels: {', '.join(names)}")
    if settings.masks and not any((part["kind"] == "mask").any() for part in manifests):
        progress.say("merge.masks takes masks for images, but there are none")
    patients = left_out_patients(settings.leave_out_patients)
    table, left_out = merge(manifests, settings, patients=patients, seed=seed)
    manifest.write(MANIFEST, table)
    manifest.write_thumbnails(THUMBNAILS, _thumbnails(manifests, datasets, table))
    gaps = [manifest.read_gaps(MANIFESTS / f"{dataset}.gaps.csv") for dataset in datasets]
    manifest.write_gaps(GAPS, pd.concat(gaps, ignore_index=True))
    values = manifest.label_array(table)
    counts = ", ".join(
        f"{name} {int((values[:, i] == 1).sum())}" for i, name in enumerate(manifest.labels(table))
    )
    unknown = int((values != values).all(axis=1).sum())
    notes = [f"{count} left out {words}" for words, count in left_out.items() if count]
    notes += [f"{unknown} of unknown label"] * (unknown > 0)
    return "; ".join([f"{len(table)} images ({counts})", *notes])


def _thumbnails(
    manifests: Sequence[pd.DataFrame], datasets: Sequence[str], table: pd.DataFrame
) -> np.ndarray:
    """Return the thumbnails of the joined table's rows."""
    import numpy as np
    import pandas as pd

    from cxr import manifest

    parts = [
        manifest.read_thumbnails(MANIFESTS / f"{dataset}.thumbnails.npy", part)
        for dataset, part in zip(datasets, manifests, strict=True)
    ]
    names = pd.Index(pd.concat([part["image"] for part in manifests], ignore_index=True))
    rows = names.get_indexer(pd.Index(table["image"]))
    joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return joined if np.array_equal(rows, np.arange(len(joined))) else joined[rows]


def _read(dataset: str) -> pd.DataFrame:
    from cxr import manifest

    path = MANIFESTS / f"{dataset}.csv"
    if not path.is_file():
        raise ValueError(f"{path} is missing: run `dvc repro ingest@{dataset}`")
    return manifest.read(path)


if __name__ == "__main__":
    run("merge", main, Params)
