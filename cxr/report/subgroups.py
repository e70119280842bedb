"""For whom a model works less well: AUROC by sex, age, view and source, and the group that is worst off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cxr.report import phrases
from cxr.report.elements import Html, count, details, join, number, table, tag, text


def subgroups(rows: Sequence[Mapping[str, Any]]) -> Html | str:
    """Return the groups of one model as a part that opens on demand; nothing where there are none."""
    whole = [row for row in rows if not row["label"]]
    kinds = {row["attribute"] for row in whole}
    several = [
        row for row in whole if sum(other["attribute"] == row["attribute"] for other in whole) > 1
    ]
    if not kinds or not several:
        return ""
    shown = [
        [f"{row['attribute']} {row['group']}", count(int(row["images"])), count(int(row["patients"])),
         _interval(row, "auroc"), _interval(row, "auroc_to_all", signed=True), row["note"] or ""]
        for row in several
    ]  # fmt: skip
    columns = ["Group", "Images", "Patients", "AUROC", "Less that of all", "Note"]
    return details(
        "By " + ", ".join(dict.fromkeys(str(row["attribute"]) for row in several)),
        join([
            tag("p", _worst(several)),
            table("AUROC in each group of test images", columns, shown, words=(0, 5)),
            phrases.note(
                "A group's AUROC is the mean over the labels with enough patients on both sides in it; it is "
                "set against the same labels' of all images. Each label: plots/subgroups.csv."
            ),
        ]),
    )  # fmt: skip


def _worst(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say which group is worst off, measured against all on the same labels."""
    judged = [row for row in rows if row["auroc_to_all"] is not None]
    if not judged:
        return "No group has enough patients on both sides of any label to be judged."
    worst = min(judged, key=lambda row: float(row["auroc_to_all"]))
    unclear = worst["auroc_to_all_high"] is not None and worst["auroc_to_all_high"] >= 0
    return (
        f"Worst off: {worst['attribute']} {worst['group']}, AUROC {number(worst['auroc'])}, "
        f"{phrases.signed(worst['auroc_to_all'])} to all images"
        + (" (the interval includes zero)." if unclear else ".")
    )


def _interval(row: Mapping[str, Any], key: str, *, signed: bool = False) -> Html:
    if row[key] is None:
        return text(number(None))
    show = phrases.signed if signed else number
    if row[f"{key}_low"] is None:
        return text(show(row[key]))
    low, high = (show(row[f"{key}_{end}"]) for end in ("low", "high"))
    return Html(f"{show(row[key])} {tag('small', f'[{low}, {high}]')}")
