"""Tables: a line for each file, numbers under their labels, refusals and faults in words."""

from __future__ import annotations

from cxr import answering
from cxr.answering import words


def answer(**changes) -> answering.Answer:
    usual = {"file": "x.png", "probabilities": {"a": 0.25, "b": 0.5, "c": 0.25}, "refused": None,
             "strangeness": 0.5, "model": "toy", "version_sha256": "0" * 64, "notice": "Research."}  # fmt: skip
    return answering.Answer(**{**usual, **changes})


def test_numbers_stand_under_their_labels(model: answering.Model) -> None:
    widths = words.columns(model, ["x.png", "longer.png"])
    head, line = words.head(model, widths), words.line(answer(), widths)
    assert head.split() == ["file", "a", "b", "c", "strangeness"] and len(head) == len(line)
    assert line.split() == ["x.png", "0.250", "0.500", "0.250", "0.50"]
    refused = words.line(answer(probabilities=None, refused="blank"), widths)
    assert refused == "x.png       refused: blank"
    assert words.line(answer(probabilities=None, error="x.png is empty"), widths).endswith(
        "can't be read: x.png is empty"
    )
    long = words.line(answer(file="y" * 100 + ".png"), words.columns(model, ["y" * 104]))
    assert long.startswith("…yyy") and long[:60].rstrip().endswith(".png")


def test_the_heading_says_which_model_and_what_it_is_worth(model: answering.Model) -> None:
    first, second, third = words.heading(model)
    assert first == f"toy, sha256 {model.version_sha256[:12]}"
    assert "of which a picture has one; not calibrated" in second
    assert third == "Research use only, not a medical device."


def test_models_are_listed_with_prod_and_faults() -> None:
    card = {"backbone": "resnet18", "data_sets": ["hospital"], "labels": ["a", "b"]}
    some = {"prod": False, "day": None, "sha256": "ab" * 32, "card": card, "fault": None}
    lines = words.registered([
        {"name": "toy", **some}, {"name": "hospital@v1.1.0", **some, "prod": True, "day": "2026-01-02"},
        {"name": "hospital@v1.0.0", **some, "card": None, "sha256": None, "fault": "it is nowhere"},
    ])  # fmt: skip
    assert lines[0].split() == ["MODEL", "DAY", "SHA256", "WHAT"]
    assert lines[1].endswith("abababababab  resnet18 on hospital: a, b")
    assert lines[2].split()[:3] == ["hospital@v1.1.0", "prod", "2026-01-02"]
    assert lines[3].endswith("it is nowhere")
    assert words.registered([]) == ["no model is exported here, and no version is registered"]
