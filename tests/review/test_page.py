"""The HTML page stands alone: nothing is loaded, nothing runs, and what a branch names is text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from cxr.review import page, story
from tests.report import cases as report_cases
from tests.review import cases

EMPTY = {"meta", "img", "br", "link", "input"}


class Outline(HTMLParser):
    """What opens, what is referred to, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    assert found.open == []
    return found


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    text = page.page(story.gather(cases.better(tmp_path)), {"forest": report_cases.png()})
    found = outline(text)
    assert not [tag for tag, _ in found.tags if tag in ("script", "link", "iframe", "object")]
    for tag, attributes in found.tags:
        for name in ("src", "href"):
            value = attributes.get(name) or ""
            assert value.startswith(("data:image/png;base64,", "#")) or not value, (tag, value)
        assert tag != "img" or attributes["alt"]
    targets = [given["href"] for tag, given in found.tags if tag == "a"]
    ids = {f"#{given['id']}" for _, given in found.tags if "id" in given}
    assert {*targets} <= ids
    assert "default-src 'none'" in text


def test_the_page_tells_verdict_cause_and_parameter(tmp_path: Path) -> None:
    text = page.page(story.gather(cases.better(tmp_path)), {})
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert "small AUROC better +" in words
    assert "The same on both sides: large." in words
    assert "none: it follows transfer@small the same bytes" in words
    assert "transfer.recipes.small.epochs 4 8" in words


def test_names_of_a_branch_are_text_and_no_elements(tmp_path: Path) -> None:
    evil = {"kind": "code", "what": "x", "words": "<script>alert(1)</script>"}
    cases.better(tmp_path)
    review = story.gather(cases.changes(tmp_path, cases.stage("fit", evil)))
    text = page.page(review, {})
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "the &lt;new&gt; | one" in text


def test_figures_stand_side_by_side_with_a_word_where_one_lacks(tmp_path: Path) -> None:
    cases.better(tmp_path)
    plots = tmp_path / "head/reports/evaluate/small/plots"
    (plots / "roc.png").write_bytes(report_cases.png())
    text = page.page(story.gather(tmp_path), {})
    assert "evaluate/small roc, before: there is none." in text
    assert 'alt="evaluate/small roc, now; the report of that side describes it."' in text


def test_without_any_change_the_page_says_so(tmp_path: Path) -> None:
    for name in ("base", "head"):
        (tmp_path / name).mkdir()
    text = page.page(story.gather(cases.changes(tmp_path, data={})), {})
    outline(text)
    assert "All 3 stages are as they were." in text
    assert "Neither side has evaluated a model." in text
