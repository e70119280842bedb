"""What several checks need: the table of findings, and groups of rows that should agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cxr import manifest as manifests


def table(rows: pd.DataFrame, detail: pd.Series | str) -> pd.DataFrame:
    """Return one finding per row: the image it is about and what is wrong with it."""
    return pd.DataFrame({"image": rows["image"], "detail": detail}, dtype=object)


def worded(numbers: pd.Series, pattern: str) -> pd.Series:
    """Return `pattern` filled with each number, as text even if there is none."""
    words = [pattern.format(number) for number in numbers]
    return pd.Series(words, index=numbers.index, dtype=object)


def overall(details: list[str]) -> pd.DataFrame:
    """Return one finding per detail that is about the whole table: its image is empty."""
    return pd.DataFrame({"image": [""] * len(details), "detail": details}, dtype=object)


def twins(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the images whose pixels another image has too, with `first`: the first image of them."""
    known = manifest[manifest["pixels_sha256"] != ""].sort_values("image", kind="stable")
    alike = known[known["pixels_sha256"].duplicated(keep=False)]
    return alike.assign(first=alike.groupby("pixels_sha256")["image"].transform("first"))


def contradicting(rows: pd.DataFrame, column: str) -> pd.Series:
    """Say for each row whether, among the rows equal in `column`, a label is both 1 and 0."""
    labels = manifests.label_columns(rows)
    by_group = rows.groupby(column)[labels]
    present, absent = by_group.transform("max") == 1, by_group.transform("min") == 0
    return (present & absent).any(axis=1)


def one_label_each(manifest: pd.DataFrame) -> bool:
    """Say whether every image with known labels has exactly one of several: they are classes."""
    labels_IL = manifests.label_array(manifest)
    known_IL = labels_IL[~np.isnan(labels_IL).all(axis=1)]
    return labels_IL.shape[1] > 1 and len(known_IL) > 0 and bool((known_IL.sum(axis=1) == 1).all())


def labelled(rows: pd.DataFrame) -> pd.Series:
    """Say for each row whether any of its labels is known."""
    return rows[manifests.label_columns(rows)].notna().any(axis=1)


def listed(rows: pd.DataFrame, column: str, words: pd.Series) -> pd.Series:
    """Return for each row the sorted different `words` of the rows equal to it in `column`."""
    joined = words.groupby(rows[column]).agg(lambda found: ", ".join(sorted(set(found))))
    return rows[column].map(joined)


def by_name(manifest: pd.DataFrame) -> dict[str, pd.Series]:
    """Return each label's column by its name."""
    columns = manifests.label_columns(manifest)
    return {column.removeprefix(manifests.LABEL_PREFIX): manifest[column] for column in columns}


def label_words(manifest: pd.DataFrame) -> pd.Series:
    """Return each image's present labels as words joined by +, or "none"."""
    labels_IL = manifests.label_array(manifest) == 1
    names = np.array(manifests.labels(manifest), dtype=object)
    words = ["+".join(names[present]) or "none" for present in labels_IL]
    return pd.Series(words, index=manifest.index, dtype=object)


def near(manifest: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the images that near pairs link to others of different pixels, by image, with more columns.

    `first`: the first image of what pairs and equal pixels link together, one name for each such
    group; `nearest`: the highest correlation with an image of other pixels. `pairs` holds image_a,
    image_b and correlation.
    """
    pixels = manifest.set_index("image")["pixels_sha256"]
    ends = pd.DataFrame({name: pairs[f"image_{name}"].map(pixels) for name in "ab"}, dtype=object)
    differ = pairs[(ends["a"] != ends["b"]) & ends.notna().all(axis=1)].assign(**ends)
    if differ.empty:
        return manifest.iloc[:0].assign(first="", nearest=0.0)
    nearest = pd.concat([differ.set_index(name)["correlation"] for name in "ab"])
    rows = manifest[manifest["pixels_sha256"].isin(nearest.index)]
    rows = rows.sort_values("image", kind="stable")
    component = rows["pixels_sha256"].map(_components(differ["a"], differ["b"]))
    return rows.assign(
        first=rows.groupby(component)["image"].transform("first"),
        nearest=rows["pixels_sha256"].map(nearest.groupby(level=0).max()),
    )


def _components(one: pd.Series, other: pd.Series) -> pd.Series:
    """Return a number for each name: the same for names that pairs link, directly or through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, names = pd.factorize(pd.concat([one, other]))
    edges = (codes[: len(one)], codes[len(one) :])
    graph = coo_array((np.ones(len(one), np.int8), edges), shape=(len(names), len(names)))
    return pd.Series(connected_components(graph, directed=False)[1], index=names)


def several(rows: pd.DataFrame, group: str, column: str) -> pd.Series:
    """Say for each row whether the rows equal to it in `group` differ in `column`."""
    return rows.groupby(group)[column].transform("nunique") > 1


def elsewhere(rows: pd.DataFrame, group: str) -> pd.Series:
    """Return for each row the first images of its group in the data sets that are not its own."""
    firsts = rows.sort_values("image", kind="stable").drop_duplicates([group, "dataset"])
    both = rows[["image", "dataset", group]].merge(firsts, on=group, suffixes=("", "_there"))
    others = both[both["dataset"] != both["dataset_there"]]
    words = others.groupby("image")["image_there"].agg(", ".join)
    return rows["image"].map(words)
