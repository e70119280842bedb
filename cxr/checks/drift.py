"""Columns and labels that have moved against a reference: another hospital, device or selection.

The reference is the manifest that `validate.reference` names, for one that a published model was
trained on. A shift is told if it is large (PSI from .1 on, or a label's share by Cohen's h of .2)
and more than chance; see cxr/checks/_shift.py. For numbers the largest difference between the
cumulated shares (Kolmogorov-Smirnov) stands beside it, and is a finding from .2 on, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cxr.checks import _findings, _shift

SEVERITY = "warning"
NEEDS = ("reference",)
MEANING = "The data differ from the reference, so results on the one may not hold on the other."
CURE = "Find out what changed; check the model on new labelled data before it is used on them."

NUMBERS = (
    "age_years", "file_bytes", "width_px", "height_px", "channels", "bit_depth",
    "grey_min", "grey_max", "grey_mean", "grey_std",
)  # fmt: skip
WORDS = ("dataset", "source", "view", "sex", "file_format")

_LEAST_PSI, _LARGE_PSI = 0.1, 0.25
_LEAST_KS = 0.2
_LEAST_H = 0.2  # Cohen 1988 calls .2 a small effect on a share
_Z = 3.29  # two-sided, one in a thousand


def find(manifest: pd.DataFrame, *, reference: pd.DataFrame | None) -> pd.DataFrame:
    """Return the columns and labels that have moved, and how far; nothing without a reference."""
    if reference is None or reference.empty or manifest.empty:
        return _findings.overall([])
    before, now = (_seen(table) for table in (reference, manifest))
    if before.empty or now.empty:
        return _findings.overall([])
    return _findings.overall([*_numbers(before, now), *_words(before, now), *_labels(before, now)])


def _seen(table: pd.DataFrame) -> pd.DataFrame:
    """Return the readable images that are no masks."""
    kind = table["kind"] if "kind" in table else pd.Series("image", index=table.index)
    return table[(table["fault"] == "") & (kind == "image")]


def _patients(*parts: pd.DataFrame) -> tuple[int, int]:
    first, second = (part["patient"].nunique() for part in parts)
    return first, second


def _numbers(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Say which columns of numbers have moved."""
    for name in NUMBERS:
        if name not in before or name not in now:
            continue
        known = [table[table[name].notna()] for table in (before, now)]
        if any(table.empty for table in known):
            if any(len(table) for table in known):
                yield f"{name}: known in {len(known[1]):,} images, in the reference in {len(known[0]):,}"
            continue
        first, second = (table[name].astype(float) for table in known)
        patients = _patients(*known)
        counts, largest = _shift.binned(first, second), _shift.ks(first, second)
        psi = _shift.psi(*counts)
        far = largest >= max(_LEAST_KS, _shift.ks_of_chance(patients))
        if far or _moved(psi, len(counts[0]), patients):
            middle = f"median {second.median():.6g}, was {first.median():.6g}"
            yield f"{name}: {middle}; PSI {psi:.2f}{_size(psi)}, KS {largest:.2f}"


def _words(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Say which columns of words have moved."""
    for name in WORDS:
        if name not in before or name not in now:
            continue
        counts = _shift.counted(before[name], now[name])
        psi = _shift.psi(*counts)
        if _moved(psi, len(counts[0]), _patients(before, now)):
            shares = [counts[i] / counts[i].sum() for i in (0, 1)]
            most = int(np.abs(shares[1] - shares[0]).argmax())
            word = sorted(set(before[name]) | set(now[name]))[most] or "(empty)"
            change = f"{word} {shares[1][most]:.0%}, was {shares[0][most]:.0%}"
            yield f"{name}: {change}; PSI {psi:.2f}{_size(psi)}"


def _labels(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Say which labels' shares have moved, and which labels only one of the two knows."""
    old, new = _findings.by_name(before), _findings.by_name(now)
    for name in sorted(old.keys() ^ new.keys()):
        yield f"label {name}: {'not in the reference' if name in new else 'only in the reference'}"
    for name in sorted(old.keys() & new.keys()):
        first, second = old[name].dropna(), new[name].dropna()
        if first.empty or second.empty:
            continue
        patients = _patients(before[old[name].notna()], now[new[name].notna()])
        share = (first.mean(), second.mean())
        h = 2 * abs(np.arcsin(np.sqrt(share[1])) - np.arcsin(np.sqrt(share[0])))
        z = h / np.sqrt(sum(1 / n for n in patients))  # the arcsine makes the variance 1/n
        if h >= _LEAST_H and z >= _Z:
            yield f"label {name}: present in {share[1]:.1%}, was {share[0]:.1%} (z {z:.1f})"


def _moved(psi: float, bins: int, patients: tuple[int, int]) -> bool:
    return psi >= max(_LEAST_PSI, _shift.psi_of_chance(bins, patients))


def _size(psi: float) -> str:
    return " (large)" if psi >= _LARGE_PSI else ""
