"""Which images stay together: those of one patient, with the same pixels, or nearly the same.

An image has keys: its patient, its pixels, and each pair of near duplicates that it is half of.
Images with a common key are linked, and a group is whatever links connect. Split by image, as many
older works did, every image has a key of its own and is its own group.

Letters in names: I images, K keys, E entries "this image has that key".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr import manifest as manifests


@dataclass(frozen=True, kw_only=True)
class Links:
    """The keys of each image of a manifest, in its order of rows."""

    image_I: np.ndarray
    """text: the images"""
    name_I: np.ndarray
    """text: patients or images; a group is named by the alphabetically first of its own"""
    image_E: np.ndarray
    """int64, 0 … I - 1"""
    key_E: np.ndarray
    """int64, 0 … K - 1: image image_E[e] has the key key_E[e]"""


def by_patient(manifest: pd.DataFrame, near_pairs: pd.DataFrame | None = None) -> Links:
    """Link images of one patient, pixel-identical ones and the pairs (image_a, image_b) given.

    Raises ValueError if an image has no patient or a pair names an image that is not there.
    """
    nameless = manifest["image"][manifest["patient"].isin([""]) | manifest["patient"].isna()]
    if len(nameless):
        raise ValueError(
            f"{len(nameless)} images have no patient, first {nameless.iloc[0]!r}: let the reader "
            "give one (the image's own name where nothing is known)"
        )
    patient_I, _ = pd.factorize(manifest["patient"])
    copies = duplicates(manifest, near_pairs)
    return Links(
        image_I=manifest["image"].to_numpy(object),
        name_I=manifest["patient"].to_numpy(object),
        image_E=np.concatenate([np.arange(len(manifest)), copies.image_E]),
        key_E=np.concatenate([patient_I, copies.key_E + patient_I.max(initial=-1) + 1]),
    )


def by_image(manifest: pd.DataFrame) -> Links:
    """Link nothing: each image is its own group, and a patient's images may go anywhere."""
    image_I, number_I = manifest["image"].to_numpy(object), np.arange(len(manifest))
    return Links(image_I=image_I, name_I=image_I, image_E=number_I, key_E=number_I)


def duplicates(manifest: pd.DataFrame, near_pairs: pd.DataFrame | None = None) -> Links:
    """Link what shows the same, whoever the patient: identical pixels and the pairs given."""
    image_I = manifest["image"].to_numpy(object)
    pixels_I, known = pd.factorize(manifest["pixels_sha256"].replace("", None))  # -1: unreadable
    comparable_I = np.flatnonzero(pixels_I >= 0)
    pair_P2 = _rows(manifest, near_pairs)
    return Links(
        image_I=image_I,
        name_I=image_I,
        image_E=np.concatenate([comparable_I, pair_P2.ravel()]),
        key_E=np.concatenate([pixels_I[comparable_I],
                              len(known) + np.repeat(np.arange(len(pair_P2)), 2)]),
    )  # fmt: skip


def _rows(manifest: pd.DataFrame, pairs: pd.DataFrame | None) -> np.ndarray:
    """Return the pairs as places in the manifest, int64 (pairs, 2)."""
    if pairs is None or not len(pairs):
        return np.zeros((0, 2), dtype=np.int64)
    images = pd.Index(manifest["image"])
    place_P2 = np.stack([images.get_indexer(pairs[name]) for name in ("image_a", "image_b")], 1)
    strange = pairs[(place_P2 < 0).any(axis=1)]
    if len(strange):
        raise ValueError(
            f"{len(strange)} near pairs name images that the manifest does not have, first "
            f"{strange['image_a'].iloc[0]!r} and {strange['image_b'].iloc[0]!r}: run validate again"
        )
    return place_P2.astype(np.int64)


def components(links: Links, among_I: np.ndarray | None = None) -> np.ndarray:
    """Return each image's component, int64 (I,): what links connect has one number.

    An image outside `among_I` (booleans) passes nothing on and is a component alone.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n_images = len(links.image_I)
    chosen_E = np.ones(len(links.image_E), bool) if among_I is None else among_I[links.image_E]
    image_E, key_E = links.image_E[chosen_E], links.key_E[chosen_E]
    side = n_images + int(links.key_E.max(initial=-1)) + 1
    graph = csr_array((np.ones(len(image_E), np.int8), (image_E, n_images + key_E)), (side, side))
    return connected_components(graph, directed=False)[1][:n_images].astype(np.int64)


def names(name_I: np.ndarray, component_I: np.ndarray) -> np.ndarray:
    """Return the name of each image's component, text (I,): the alphabetically first within it."""
    code_I, known = pd.factorize(name_I, sort=True)
    first = np.full(int(component_I.max(initial=-1)) + 1, len(known), dtype=np.int64)
    np.minimum.at(first, component_I, code_I)
    return known[first[component_I]]


def groups(links: Links, *, apart_I: np.ndarray | None = None) -> np.ndarray:
    """Return each image's group by name, text (I,); an image of `apart_I` is one by itself."""
    if apart_I is None:
        return names(links.name_I, components(links))
    name_I = np.where(apart_I, links.image_I, links.name_I)
    return names(name_I, components(links, ~apart_I))


def usable(manifest: pd.DataFrame) -> pd.Series:
    """Say for each image whether it can be decoded and has at least one known label."""
    known = manifest[manifests.label_columns(manifest)].notna().any(axis=1)
    return known & (manifest["fault"] == "")
