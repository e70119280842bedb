"""The labels of a table that a person wrote: a column of names, or a column per label."""

from __future__ import annotations

import math
from collections.abc import Collection

import pandas as pd

from cxr.datasets import _cells

PREFIX = "label:"
_NO_FINDING = ("none", "no_finding", "no_findings")


def read(
    rows: pd.DataFrame,
    faults: list[tuple[int, str]],
    *,
    where: str,
    hint: str,
    also: Collection[str] = (),
) -> pd.DataFrame:
    """Return the columns label:<name>, 1.0, 0.0 or NaN, from whichever form the table has.

    `also` are labels of other tables of the set, which the column `label` says are absent where it
    does not name them. Faulty cells are added to `faults` with their line; a table without labels
    is a ValueError.
    """
    header = f"row 1, its header, has {', '.join(map(repr, rows.columns))}"
    wide = _wide(rows)
    if bool(wide) == ("label" in rows.columns):
        raise ValueError(
            f"{where} has {'both label and' if wide else 'neither label nor'} label:<name> columns "
            f"({header}): {hint}"
        )
    if PREFIX in wide.values() or len(set(wide.values())) < len(wide):
        raise ValueError(
            f"{where}: the columns {', '.join(wide)} name {', '.join(wide.values())}: "
            "give each label a name of its own"
        )
    if not wide:
        return _from_names(rows, faults, where, hint, also)
    truths = {to: _cells.column(rows, name, _truth, faults) for name, to in wide.items()}
    return pd.DataFrame(truths, rows.index, dtype=float)


def named(rows: pd.DataFrame) -> frozenset[str]:
    """Return the labels that a table knows, in either form; faulty cells name none."""
    if wide := _wide(rows):
        return frozenset(name.removeprefix(PREFIX) for name in wide.values())
    return frozenset().union(*filter(None, _cells.column(rows, "label", _names, [])))


def _wide(rows: pd.DataFrame) -> dict[str, str]:
    """Return the columns that hold a label each, with the names that they get."""
    return {
        name: PREFIX + _cells.label_name(name.removeprefix(PREFIX))
        for name in rows.columns
        if name.startswith(PREFIX)
    }


def _truth(text: str) -> float:
    if text.lower() in _cells.UNKNOWN:
        return math.nan
    if text not in ("0", "1", "0.0", "1.0"):
        raise ValueError("is no label: write 1, 0, or nothing if it is unknown")
    return float(text)


def _from_names(
    rows: pd.DataFrame,
    faults: list[tuple[int, str]],
    where: str,
    hint: str,
    also: Collection[str],
) -> pd.DataFrame:
    """Return a column per name that stands in the column `label` or in `also`, sorted."""
    found_I = _cells.column(rows, "label", _names, faults)
    names = sorted(frozenset(also).union(*filter(None, found_I)))
    if not names and not faults:
        raise ValueError(f"{where} names no label in any row: {hint}")
    truths = {
        PREFIX + name: [math.nan if found is None else float(name in found) for found in found_I]
        for name in names
    }
    return pd.DataFrame(truths, rows.index, dtype=float)


def _names(text: str) -> frozenset[str] | None:
    """Return the labels that a cell names, none of them for `no finding`, None if it is unknown."""
    if text.lower() in _cells.UNKNOWN:
        return None
    _cells.formula_free(text)
    names = [_cells.label_name(word) for word in text.split("|")]
    if "" in names:
        raise ValueError("has a name without a letter: write pneumonia, or pneumonia|effusion")
    found = frozenset(names) - frozenset(_NO_FINDING)
    if found and len(found) < len(frozenset(names)):
        raise ValueError("contradicts itself: no finding beside a finding")
    return found
