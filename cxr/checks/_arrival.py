"""The newest arrival against what was there before it: what has moved, and what stands in frozen parts.

A value has moved if the difference is more than chance between so many patients, one case in a
thousand (cxr/checks/_shift.py; for shares the normal distribution of Cohen's h), and large enough to
matter. Large enough is PSI .1, from .25 on a clear shift (Siddiqi 2006, "Credit Risk Scorecards");
Kolmogorov and Smirnov's largest difference of .2, which two normal distributions half a standard
deviation apart have, Cohen's medium effect; and Cohen's h of .2, a small effect on a share (Cohen
1988, "Statistical Power Analysis for the Behavioral Sciences").

A move is grave, and stops the pipeline, if it is clear by PSI and large by Cohen, a KS of .31 (.8
standard deviations) or h of .8, and chance does it in one case of 100,000. Only greys, labels and the
share of unlabelled images can be grave: what a new device does to the size, depth or format of its
files matters as far as the greys tell it.

Measured on 1,200 phantom patients of one kind, drawn 1,000 times each as 20 and 50 new ones beside 200,
and 100 and 400 beside 600: some warning came in 5, 14, 19 and 10 draws, most of them of the age, and
a grave move in none of 4,000. Shown with gamma 1.3, 1.6 and 2, the new images were gravely moved in 1,
88 and 100 of 100 draws of 20 patients beside 200, in 50, 100 and 100 of 50 beside 200, and in 97, 100
and 100 of 100 beside 600.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxr import manifest as manifests
from cxr.checks import _findings, _shift

GREYS = ("grey_mean", "grey_std")
NUMBERS = (*GREYS, "age_years", "width_px", "height_px")
WORDS = ("source", "view", "sex", "channels", "bit_depth", "file_format")

_LEAST_PSI, _CLEAR_PSI = 0.1, 0.25
_LEAST_KS, _LARGE_KS = 0.2, 0.31
_LEAST_H, _LARGE_H = 0.2, 0.8
_Z, _GRAVE_Z = 3.29, 4.42  # two-sided, one in a thousand and in 100,000
_GRAVE_CHANCE = (
    1.27  # Kolmogorov's distribution has 1.95 at one in a thousand, 2.47 at one in 100,000
)


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """Which images are new, what must stay apart from them, and what split keeps together."""

    folder: str
    """data set and folder; `<folder>/` begins the names of the new images"""
    frozen: frozenset[str]
    """images that an earlier division put into a part which nothing new enters"""
    by_patient: bool
    """whether split keeps a patient's images, and the same pixels, in one part"""
    near_duplicates: bool
    """whether it keeps near-duplicates there, too"""

    def holds(self, images: pd.Series) -> pd.Series:
        """Say for each image whether it is one of the new ones."""
        return images.str.startswith(f"{self.folder}/")


@dataclass(frozen=True)
class Move:
    """What has moved."""

    words: str
    is_grave: bool = False


def moves(manifest: pd.DataFrame, arrival: Arrival | None) -> Iterator[Move]:
    """Yield what has moved; nothing where nothing was there before.

    An arrival without an image in the manifest is grave: the study takes up none of its labels.
    """
    if arrival is None or manifest.empty:
        return
    is_new = arrival.holds(manifest["image"])
    if not is_new.any():
        yield Move(
            f"no image of {arrival.folder} is left: do its labels stand in merge.labels?", True
        )
        return
    seen = (manifest["fault"] == "") & (manifest["kind"] == "image")
    before, now = manifest[seen & ~is_new], manifest[seen & is_new]
    if before.empty or now.empty:
        return
    yield from _numbers(before, now)
    yield from _words(before, now)
    yield from _labels(before, now)


def _numbers(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[Move]:
    """Yield the columns of numbers that have moved, by both statistics."""
    for name in NUMBERS:
        known = [table[table[name].notna()] for table in (before, now)]
        first, second = (table[name].astype(float) for table in known)
        if first.empty or second.empty:
            continue
        patients = _patients(*known)
        counts, ks = _shift.binned(first, second), _shift.ks(first, second)
        psi = _shift.psi(*counts)
        chance_psi = _shift.psi_of_chance(len(counts[0]), patients)
        chance_ks = _shift.ks_of_chance(patients)
        if psi < max(_LEAST_PSI, chance_psi) and ks < max(_LEAST_KS, chance_ks):
            continue
        is_clear = psi >= max(_CLEAR_PSI, chance_psi)
        is_large = ks >= max(_LARGE_KS, _GRAVE_CHANCE * chance_ks)
        yield Move(
            f"{name}: median {second.median():.6g}, was {first.median():.6g}; PSI {psi:.2f} "
            f"(chance {chance_psi:.2f}), KS {ks:.2f} (chance {chance_ks:.2f})",
            name in GREYS and is_clear and is_large,
        )


def _words(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[Move]:
    """Yield the columns of few values that have moved."""
    for name in WORDS:
        first, second = (table[name].astype(str) for table in (before, now))
        counts = _shift.counted(first, second)
        psi = _shift.psi(*counts)
        chance = _shift.psi_of_chance(len(counts[0]), _patients(before, now))
        if psi < max(_LEAST_PSI, chance):
            continue
        shares = [found / found.sum() for found in counts]
        most = int(np.abs(shares[1] - shares[0]).argmax())
        value = sorted({*first, *second})[most] or "(empty)"
        yield Move(
            f"{name}: {value} {shares[1][most]:.0%}, was {shares[0][most]:.0%}; PSI {psi:.2f} "
            f"(chance {chance:.2f})"
        )


def _labels(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[Move]:
    """Yield the labels whose share has moved, then the share of images without a known label."""
    for name in manifests.label_columns(before):
        known = [table[table[name].notna()] for table in (before, now)]
        if len(known[0]) and len(known[1]):
            shares = [_by_patient(table, table[name]) for table in known]
            yield from _share(f"label {name.removeprefix('label:')}: present in", *shares)
    shares = [_by_patient(table, ~_findings.labelled(table)) for table in (before, now)]
    yield from _share("unlabelled:", *shares)


def _by_patient(table: pd.DataFrame, values: pd.Series) -> pd.Series:
    """Return each patient's mean, so that she counts once however many images there are of her."""
    return values.astype(float).groupby(table["patient"]).mean()


def _share(words: str, before: pd.Series, now: pd.Series) -> Iterator[Move]:
    """Yield the move of a share, if it is one, by Cohen's h and its z; a value for each patient.

    The arcsine makes the variance 1/n; with Anscombe's 3/8 it does so for rare labels and few
    patients too (1948, doi:10.1093/biomet/35.3-4.246).
    """
    was, share = float(before.mean()), float(now.mean())
    h = abs(_arcsine(was, 0, 1) - _arcsine(share, 0, 1))
    angles = [_arcsine(x.sum(), 3 / 8, len(x) + 3 / 4) for x in (before, now)]
    z = abs(angles[0] - angles[1]) / np.sqrt(sum(1 / (len(x) + 1 / 2) for x in (before, now)))
    if h >= _LEAST_H and z >= _Z:
        text = f"{words} {share:.1%} of the patients, was {was:.1%}; h {h:.2f}, z {z:.1f}"
        yield Move(text, bool(h >= _LARGE_H and z >= _GRAVE_Z))


def _arcsine(count: float, more: float, total: float) -> float:
    return float(2 * np.arcsin(np.sqrt((count + more) / total)))


def _patients(*parts: pd.DataFrame) -> tuple[int, int]:
    first, second = (part["patient"].nunique() for part in parts)
    return first, second


@dataclass(frozen=True)
class Known:
    """A new image that shows what a frozen part holds."""

    image: str
    why: str
    """what links it to which frozen image: pixels first, then near pixels, then the patient"""
    is_copy: bool
    """by pixels or near ones, whoever the patient"""
    is_left_out: bool
    """whether split leaves it out for that"""


def known(manifest: pd.DataFrame, pairs: pd.DataFrame, arrival: Arrival | None) -> list[Known]:
    """Return the new images that show what a frozen part holds, in the order of their names.

    At first hand only: split itself follows whole chains of links.
    """
    if arrival is None:
        return []
    table = manifest.sort_values("image", kind="stable", ascending=False)
    is_frozen = table["image"].isin(arrival.frozen)
    held, new = table[is_frozen], table[~is_frozen & arrival.holds(table["image"])]
    by_pixels = dict(zip(held["pixels_sha256"], held["image"], strict=True))
    by_patient = dict(zip(held["patient"], held["image"], strict=True))
    nearest = _nearest(pairs, frozenset(held["image"]))
    result = []
    for image, pixels, who in new[["image", "pixels_sha256", "patient"]].itertuples(index=False):
        same, patient = by_pixels.get(pixels or None), by_patient.get(who or None)
        if near := same or nearest.get(image):
            why = f"{'' if same else 'almost '}the pixels of {near}"
        elif patient:
            why = f"patient {who}, of whom is {patient}"
        else:
            continue
        kept_together = bool(same or patient) or arrival.near_duplicates
        result.append(Known(image, why, bool(near), arrival.by_patient and kept_together))
    return result[::-1]


def _nearest(pairs: pd.DataFrame, held: frozenset[str]) -> dict[str, str]:
    """Return for each image that near pairs link to one of `held` the first such one."""
    ends = pairs[["image_a", "image_b"]].to_numpy().tolist()
    both = [*ends, *([b, a] for a, b in ends)]
    return {a: b for a, b in sorted(both, reverse=True) if b in held}
