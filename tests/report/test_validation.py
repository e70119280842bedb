"""The page about the data: self-contained, escaped, the same bytes twice, saying what was found."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.report import findings, validation
from tests.report import cases

HOSTILE = '<script>alert("x")</script>&"quoted\''


def figure() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((20, 60, 3), np.uint8)).save(buffer, format="png")
    return buffer.getvalue()


def rule(success: bool = True, unexpected: Any = ()) -> dict[str, Any]:
    return {
        "rows": "all", "column": "view", "expectation": "expect_x", "words": "view: in set",
        "success": success, "unexpected": list(unexpected),
    }  # fmt: skip


def row(name: str, severity: str, number: int, accepted: str | None = None) -> dict[str, Any]:
    return {
        "finding": name, "severity": severity, "count": number, "accepted": accepted,
        "meaning": f"What {name} means.", "cure": f"How to cure {name}.",
    }  # fmt: skip


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def case(name: str = "toy", **changes: Any) -> tuple[dict[str, Any], pd.DataFrame]:
    """A summary with one accepted, one stopping and one mild finding, and their rows."""
    columns = ["finding", "severity", "image", "detail"]
    rows = [
        ["table_rule", "critical", "", f"{name}: found"], ["unreadable", "critical", f"{name}/a.png", "cut off"],
        *(["colour_image", "info", f"{name}/{i}.png", "3 channels"] for i in range(12)),
    ]  # fmt: skip
    found = [
        row("table_rule", "critical", 1), row("unreadable", "critical", 1, f"known of {name}"),
        row("colour_image", "info", 12),
    ]  # fmt: skip
    summary = {
        "gate": "stopped", "stopping": ["table_rule"], "images": 1234, "patients": 600,
        "datasets": {name: dict.fromkeys(
            ("images", "patients", "sources", "masks", "unreadable", "absent", "unlisted"), 7)},
        "counts": {"critical": {"table_rule": 1, "unreadable": 1}, "warning": {}, "info": {"colour_image": 12}},
        "findings": found, "accepted": {"unreadable": f"known of {name}"},
        "accepted_but_absent": ["no_label"],
        "checks": ["colour_image", "table_rule", "unreadable", "odd_size"],
        "near_duplicates": {"correlation": 0.99, "pairs": 343, "images": 459},
        "control": {"auroc": interval(0.81), "borders": 0.8, "files": 0.7, "labels": {name: interval(0.81)}},
    }  # fmt: skip
    return {**summary, **changes}, pd.DataFrame(rows, columns=columns)


def page(summary: dict[str, Any], found: pd.DataFrame, *rules: dict[str, Any]) -> str:
    result = findings.expectations(rules or [rule()])
    return validation.page(summary, found, result, labels=figure())


def test_the_page_loads_and_runs_nothing_and_its_links_lead_somewhere():
    html = page(*case())
    reader = cases.Reader(html)
    assert not reader.all("script") and not reader.all("link") and not reader.all("iframe")
    references = [a[key] for _, a in reader.tags for key in ("src", "href") if key in a]
    assert references and all(x.startswith(("#", "data:image/png;base64,")) for x in references)
    assert "@import" not in html and "url(" not in html and "default-src 'none'" in html
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in reader.all("a")} <= set(ids)


def test_it_says_what_was_found_and_what_follows():
    words = cases.Reader(page(*case())).text
    for expected in (
        "The gate is closed", "correct or accept table rule", "1,234", "How to cure table_rule.",
        "known of toy", "The first 5 of 12", "(the whole table)", "1 checks found nothing",
        "not found: no_label", "343 pairs of images, 459 images", "0.810",
    ):  # fmt: skip
        assert expected in words, expected
    assert "How to cure unreadable" not in words  # it is accepted


def test_a_clean_set_has_a_page():
    clean = {"critical": {}, "warning": {}, "info": {}}
    control = {"auroc": interval(0.5), "borders": None, "files": None, "labels": {}}
    near = {"correlation": 1, "pairs": 0, "images": 0}
    summary, found = case(gate="passed", stopping=[], findings=[], accepted={}, counts=clean,
                          control=control, near_duplicates=near)  # fmt: skip
    words = cases.Reader(page(summary, found.iloc[:0])).text
    for expected in (
        "The gate is open", "nothing critical was found", "No check found anything",
        "They were not looked for", "No label has enough patients",
    ):  # fmt: skip
        assert expected in words, expected


def test_hostile_names_are_text():
    broken = rule(False, [(HOSTILE, HOSTILE)])
    html = page(*case(HOSTILE), broken)
    assert "<script" not in html
    assert cases.Reader(html).text.count('<script>alert("x")</script>') > 8


def test_broken_rules_come_first_with_an_example():
    html = page(*case(), rule(), rule(False, [("toy/a.png", "OBLIQUE")] * 30))
    assert html.index("broken 30 times, first toy/a.png: OBLIQUE") < html.index("holds")
    assert "1 of 2 rules hold" in html


def test_expectations_keep_some_examples_and_true_counts():
    result = findings.expectations([rule(False, [("a", "1")] * 30), rule()])
    assert result["success"] is False
    assert result["statistics"] == {"evaluated": 2, "successful": 1}
    assert result["results"][0]["unexpected"] == 30 and len(result["results"][0]["first"]) == 20


def test_the_same_bytes_twice():
    assert page(*case()) == page(*case())


@pytest.mark.parametrize("most", [1, 11, 12, 13])
def test_the_list_is_bounded(most):
    short = findings.bounded(case()[1], most=most)
    colour = short[short["finding"] == "colour_image"]
    assert len(colour) == min(12, most + 1)
    assert (colour["image"] == "").sum() == (most < 12)
    if most < 12:
        assert colour.iloc[-1]["detail"] == f"and {12 - most} more"
