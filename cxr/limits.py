"""What a model can't be trusted with, in words: the same in its files and in the study's report."""

from __future__ import annotations

from collections.abc import Sequence


def limits(*, data_sets: Sequence[str], protocol: str, calibrated: bool) -> list[str]:
    """Return a sentence each; `protocol` of the split: by_patient or by_image."""
    found = [
        "it learned from the data sets named here: how good it is on images of other hospitals, "
        "devices, ages or views is unknown",
        "it knows its labels alone: any other finding goes unseen",
        "it may go by marks, borders or devices that came with a label",
    ]
    if calibrated:
        found.append("its probabilities are calibrated, on images of the same data sets")
    else:
        found.append(
            "its probabilities are not calibrated: .9 need not come true nine times in ten"
        )
    if protocol == "by_image":
        found.append(
            "images of one patient stand on both sides of its split: its figures are too good"
        )
    if "phantom" in data_sets:
        found.append("the data set phantom is drawn by code and shows no patient")
    return found
