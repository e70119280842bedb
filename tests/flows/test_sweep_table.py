"""The table and the figure of a sweep: the best first, what failed last, the same bytes in any order."""

from __future__ import annotations

import csv
import io
from typing import Any
from xml.etree import ElementTree

from flows import sweep_table
from flows.request import Wanted
from flows.sweep_file import Combination
from flows.sweep_table import Line

SVG = "{http://www.w3.org/2000/svg}"


def line(name: str, auroc: float | None, *, model: str = "m", seed: int = 1, **others: Any) -> Line:
    labels = {"seed": str(seed), "a < b": "x|y, z"}
    metrics: dict[str, Any] = {"parameters": 10, "per_label": {"x": {"value": 1}}}
    if auroc is not None:
        metrics["auroc"] = {"value": auroc, "low": auroc - 0.1, "high": auroc + 0.1}
        metrics["accuracy"] = {"value": 0.5, "low": 0.25, "high": 0.75}
    one = Combination(name=name, wanted=Wanted(study="a"), labels=labels)
    return Line(combination=one, model=model, metrics=metrics, commit="c" * 40, **others)


LINES = [line("aa", 0.5), line("bb", 0.75), line("cc", 0.75, model="k"), line("bb", None, model="z")]  # fmt: skip
FAILED = Line(combination=LINES[0].combination, metrics={}, fault="fit: no\nsuch thing")


def test_the_best_comes_first_and_what_has_no_number_last() -> None:
    for lines in ([*LINES, FAILED], [FAILED, *reversed(LINES)]):
        found = sweep_table.ordered(lines, "auroc")
        names = [(each.combination.name, each.model) for each in found]
        assert names == [("bb", "m"), ("cc", "k"), ("aa", "m"), ("aa", ""), ("bb", "z")]


def test_the_table_holds_what_was_set_metrics_with_their_ends_cost_and_commit() -> None:
    rows = list(csv.DictReader(io.StringIO(sweep_table.text([*LINES[:1], FAILED], "auroc"))))
    assert list(rows[0].items()) == [
        ("combination", "aa"), ("seed", "1"), ("a < b", "x|y, z"), ("model", "m"),
        ("auroc", "0.5"), ("auroc_low", "0.4"), ("auroc_high", "0.6"),
        ("accuracy", "0.5"), ("accuracy_low", "0.25"), ("accuracy_high", "0.75"),
        ("parameters", "10"), ("commit", "c" * 12), ("fault", ""),
    ]  # fmt: skip
    assert (rows[1]["auroc"], rows[1]["fault"]) == ("", "fit: no\nsuch thing")


def test_the_words_for_people_say_what_the_numbers_are() -> None:
    text = sweep_table.markdown([*LINES, FAILED], name="seeds", about="why", by="auroc")
    assert text.startswith("# Sweep seeds\n\nwhy\n\n3 combinations, 1 of them failed; the highest")
    assert "best on them, and a result only on images that this table did not see" in text
    assert r"| x\|y, z |" in text


def test_the_figure_shows_each_interval_where_it_is() -> None:
    lines = sweep_table.ordered([*LINES, FAILED], "auroc")
    tree = ElementTree.fromstring(sweep_table.figure(lines, name="a & b", by="auroc"))
    circles = [float(each.attrib["cx"]) for each in tree.iter(f"{SVG}circle")]
    assert len(circles) == 3 and circles[0] == circles[1] > circles[2]
    ticks = [each.text for each in tree.iter(f"{SVG}text") if each.get("text-anchor") == "middle"]
    assert ticks[0] == "0.4" and ticks[-1] == "0.85"
    assert tree.findtext(f"{SVG}title", "").startswith("Sweep a & b: auroc")
    empty = ElementTree.fromstring(sweep_table.figure([FAILED], name="a", by="auroc"))
    assert list(empty.iter(f"{SVG}circle")) == []
