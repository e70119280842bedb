"""The page about the data: reports/validate/index.html, one file that needs no network and no script.

It shows what stages/validate.py found, for people who know the data and not the program: whether
the data may be learnt from, each finding with its first examples and its cure, the data sets, the
near-duplicates, the control classifier and the rules of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cxr.report import phrases
from cxr.report.document import document
from cxr.report.elements import Html, count, details, figure, join, number, table, tag, text

_EXAMPLES = 5  # of a finding
_FILES = "plots/findings.csv"


def page(
    summary: Mapping[str, Any],
    found: pd.DataFrame,
    expectations: Mapping[str, Any],
    *,
    labels: bytes,
) -> str:
    """Return the page as an HTML document; `found` as findings.ordered, `labels` the figure as PNG."""
    parts = [
        ("findings", "Findings", _findings(summary, found)),
        ("sets", "Data sets", _sets(summary, labels)),
        ("near", "Near-duplicates", _near(summary["near_duplicates"])),
        ("control", "Control classifier", _control(summary["control"])),
        ("rules", "Rules of the table", _rules(expectations)),
    ]
    return document(
        parts,
        title=f"Data {summary['gate']} · cxrepro validation",
        header=_header(summary),
        footer=tag("footer", tag("p", f"Made by cxrepro · {phrases.RESEARCH_ONLY}")),
    )


def _header(summary: Mapping[str, Any]) -> Html:
    """Say whether the data may be learnt from, and how much was looked at."""
    names = ", ".join(summary["datasets"])
    lead = (
        f"{len(summary['checks'])} checks looked at {count(summary['images'])} images of {names}."
    )
    counts = {name: sum(found.values()) for name, found in summary["counts"].items()}
    kinds = {name: len(found) for name, found in summary["counts"].items()}
    facts = [
        ("Images", count(summary["images"]), f"of {count(summary['patients'])} patients"),
        *((name.capitalize(), count(counts[name]), _kinds(kinds[name])) for name in counts),
    ]
    cards = [
        tag("div", tag("dt", name), tag("dd", tag("strong", value), tag("span", words)))
        for name, value, words in facts
    ]
    return tag(
        "header",
        tag("p", "cxrepro · validation of the data", class_="kicker"),
        tag("h1", "The gate is open" if summary["gate"] == "passed" else "The gate is closed"),
        tag("p", lead, class_="lead"),
        tag("p", _verdict(summary), class_="notice", role="note"),
        tag("dl", *cards, class_="facts"),
    )


def _kinds(number_of: int) -> str:
    return "nothing found" if number_of == 0 else f"from {number_of} check{'s' * (number_of > 1)}"


def _verdict(summary: Mapping[str, Any]) -> str:
    """Say in one sentence what the gate means."""
    if summary["stopping"]:
        names = ", ".join(map(phrases.spaced, summary["stopping"]))
        return f"The pipeline stops here: correct or accept {names}."
    if summary["accepted"]:
        names = ", ".join(map(phrases.spaced, summary["accepted"]))
        return f"The pipeline goes on; critical, but accepted with a reason: {names}."
    return "The pipeline goes on: nothing critical was found."


def _findings(summary: Mapping[str, Any], found: pd.DataFrame) -> Html:
    """Return each finding with its meaning, cure and first examples, and what was not found."""
    articles = [
        _finding(row, found[found["finding"] == row["finding"]]) for row in summary["findings"]
    ]
    words = f"Each image is named in {_FILES}, up to 1,000 of a finding."
    intro = tag("p", words if articles else "No check found anything.")
    quiet = sorted(set(summary["checks"]) - {row["finding"] for row in summary["findings"]})
    names = ", ".join(map(phrases.spaced, quiet))
    silent = details(f"{len(quiet)} checks found nothing", tag("p", names)) if quiet else ""
    absent = summary["accepted_but_absent"]
    note = (
        phrases.note(f"Accepted in the study, but not found: {', '.join(absent)}.")
        if absent
        else ""
    )
    return join(filter(None, [intro, *articles, note, silent]))


def _finding(row: Mapping[str, Any], found: pd.DataFrame) -> Html:
    """Return one finding; what is accepted says why."""
    grave = "grave" if row["severity"] == "critical" else "mild"
    state = tag("span", row["severity"], class_=f"state {grave}")
    images = count(row["count"])
    counted = tag("small", f"{images} finding{'s' * (row['count'] > 1)}")
    title = tag("h3", phrases.spaced(row["finding"]), " ", state, " ", counted)
    follows = (
        tag("p", tag("strong", "Accepted: "), row["accepted"])
        if row["accepted"]
        else tag("p", tag("strong", "What to do: "), row["cure"])
    )
    first = [[image or "(the whole table)", detail] for image, detail in
             found[["image", "detail"]].head(_EXAMPLES).itertuples(index=False)]  # fmt: skip
    words = f"The first {len(first)} of {images}" if row["count"] > len(first) else "All of them"
    examples = table(words, ["Image", "What was found"], first, words=(0, 1))
    opens = f"First: {first[0][0]}"
    return tag("article", title, tag("p", row["meaning"]), follows, details(opens, examples))


def _sets(summary: Mapping[str, Any], labels: bytes) -> Html:
    """Return the counts of each data set and the figure of labels by source."""
    keys = ["images", "patients", "sources", "masks", "unreadable", "absent", "unlisted"]
    rows = [
        [name, *(count(found[key]) for key in keys)] for name, found in summary["datasets"].items()
    ]
    words = "Absent: listed in the data set's tables, without a file. Unlisted: the reverse."
    alt = "Bars: how many images have each label, by source."
    caption = "Labels by source: a label that goes with its source can be told by the source."
    return join([
        table("Images of each data set", ["Data set", *map(str.capitalize, keys)], rows),
        phrases.note(words),
        figure(labels, alt=alt, caption=caption),
    ])  # fmt: skip


def _near(near: Mapping[str, Any]) -> Html:
    """Say how many images are alike, and what counts as alike."""
    if near["correlation"] == 1:
        return tag("p", "They were not looked for.")
    pairs, images = count(near["pairs"]), count(near["images"])
    return tag(
        "p",
        f"{pairs} pairs of images, {images} images in all, correlate above {near['correlation']} "
        "when each is shrunk to 32 x 32 pixels. All pairs were compared. Identical files are among "
        "them; whole groups stay in one part of the split if split.near_duplicates is true.",
    )


def _control(control: Mapping[str, Any]) -> Html:
    """Return what a classifier reaches that sees no chest."""
    names = [*control["labels"]]
    if not names:
        return tag("p", "No label has enough patients on both sides to try one.")
    rows = [[phrases.spaced(name), phrases.interval(control["labels"][name])] for name in names]
    words = (
        f"It sees the border of each image and the file's size and form, never the chest, and "
        f"reaches a mean AUROC of {number(control['auroc']['value'])} (.5 is guessing): "
        f"{number(control['borders'])} by borders alone, {number(control['files'])} by files "
        "alone. A network may take the same way without looking at a lung."
    )
    caption = "AUROC of the control classifier with its interval"
    return join([tag("p", words), table(caption, ["Label", "AUROC"], rows)])


def _rules(expectations: Mapping[str, Any]) -> Html:
    """List the rules of the table, the broken ones first with an example."""
    results = sorted(expectations["results"], key=lambda rule: bool(rule["success"]))
    rows = [
        [rule["rule"], rule["rows"], "holds" if rule["success"] else _broken(rule)]
        for rule in results
    ]
    numbers = expectations["statistics"]
    words = f"{numbers['successful']} of {numbers['evaluated']} rules hold"
    listed = table(
        "Rules of the manifest (Great Expectations)", ["Rule", "Rows", "Result"], rows,
        words=(0, 1, 2),
    )  # fmt: skip
    return join([tag("p", f"{words}."), details("All rules", listed)])


def _broken(rule: Mapping[str, Any]) -> Html:
    """Say how often a rule is broken, and where first."""
    first = rule["first"][0]
    where = f"{first['image'] or 'the whole table'}: {first['value']}"
    return Html(f"broken {count(rule['unexpected'])} times, first {text(where)}")
