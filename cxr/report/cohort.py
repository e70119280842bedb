"""What the models saw: data sets, parts, pictures, and what the checks found in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.report import phrases
from cxr.report.elements import Html, count, details, figure, join, table, tag, text

if TYPE_CHECKING:
    from cxr.datasets._source import Source
    from cxr.report import Study

PARTS = ("train", "search_val", "val", "calibration", "test", "excluded")


def data(study: Study) -> Html:
    """Return the data sets, the counts of each part and the pictures of the data."""
    pieces: list[Html | str] = [_sources(study.datasets)] if study.datasets else []
    if study.split:
        pieces.append(_parts_table(study.split, study.models[0].result["labels"]))
        pieces.append(_folds_table(study.split))
    pictures = []
    if "portrait" in study.figures:
        alt = "Contact sheet: synthetic chest X-rays made by code, a few of each class."
        pictures.append(
            figure(study.figures["portrait"], alt=alt, caption="Synthetic examples of each class.")
        )
    if "labels" in study.figures:
        alt = "Bars: how many images have each label, by source."
        caption = "Labels by source: a label that goes with its source can be told by the source."
        pictures.append(figure(study.figures["labels"], alt=alt, caption=caption))
    if "split" in study.figures:
        alt = "Bars: how the labels share each part, with the number of images."
        pictures.append(figure(study.figures["split"], alt=alt, caption="Labels of each part."))
    return join([*filter(None, pieces), *pictures])


def _sources(datasets: Sequence[Source]) -> Html:
    """Return titles, citations and licences; addresses as text, so that the page refers to nothing."""
    entries = []
    for source in datasets:
        licence = f"Licence: {source.licence}" if source.licence else ""
        known = [words for words in (source.citation, source.url, licence) if words]
        entries.append(tag("dt", source.title))
        entries.append(tag("dd", Html("<br>".join(text(words) for words in known))))
    return tag("dl", *entries, class_="sources")


def _parts_table(split: Mapping[str, Any], order: Sequence[str]) -> Html:
    """Count images, patients and labels of each part; a range where folds differ."""
    folds = list(split["folds"].values())
    known = folds[0]["train"]["labels"]
    labels = [name for name in order if name in known]
    rows = []
    for part in PARTS:
        here = [fold[part] for fold in folds if part in fold]
        if not any(fold["images"] for fold in here):
            continue
        counts = [
            [fold["images"], fold["groups"], *(fold["labels"][name] for name in labels)]
            for fold in here
        ]
        rows.append([part, *(phrases.spread(column) for column in zip(*counts, strict=True))])
    words = " (ranges over the folds)" if len(folds) > 1 else ""
    group = "Groups" if split.get("protocol") == "by_image" else "Patients"
    return table(
        f"Images, {group.lower()} and labels of each part{words}",
        ["Part", "Images", group, *map(phrases.spaced, labels)],
        rows,
    )


def _folds_table(split: Mapping[str, Any]) -> Html | str:
    folds = split["folds"]
    if len(folds) < 2:
        return ""
    parts = [
        part for part in PARTS if any(fold.get(part, {}).get("images") for fold in folds.values())
    ]
    rows = [
        [name, *(count(fold[part]["images"]) for part in parts)]
        for name, fold in sorted(folds.items(), key=phrases.natural)
    ]
    return details("Each fold", table("Images of each fold", ["Fold", *parts], rows))


def validation(study: Study) -> Html:
    """Return what the checks found, and what was accepted for which reason."""
    summary = study.validation
    findings = summary.get("findings")
    if findings is None:
        return Html("")
    images, patients = count(summary.get("images")), count(summary.get("patients"))
    accepted = [row for row in findings if row["accepted"]]
    words = f"{images} images of {patients} patients were checked before training: "
    words += f"{len(findings)} kinds of findings" if findings else "nothing was found"
    if accepted:
        words += f", {len(accepted)} of them critical and accepted for the reason given below"
    rows = [
        [phrases.spaced(row["finding"]), _severity(row), count(row["count"]), row["meaning"], _consequence(row)]
        for row in findings
    ]  # fmt: skip
    columns = ["Finding", "Severity", "Count", "What it means", "What follows"]
    pieces = [tag("p", f"{words}.")]
    if rows:
        pieces.append(table("Findings of the data checks", columns, rows, words=(0, 1, 3, 4)))
    return join([*pieces, *filter(None, [_control(summary), _expectations(summary)])])


def _control(summary: Mapping[str, Any]) -> Html | str:
    """Return what the control classifier reaches for each label, highest first."""
    found = summary.get("control") or {}
    labels = sorted(found.get("labels", {}).items(), key=lambda item: -item[1]["value"])
    if not labels:
        return ""
    rows = [
        [phrases.spaced(name), phrases.interval(label), count(label["present"]), count(label["images"])]
        for name, label in labels
    ]  # fmt: skip
    caption = (
        f"AUROC of a linear classifier that sees only borders and file statistics, "
        f"{found['folds']}-fold by patient; brackets: {found['confidence']:.0%} intervals from "
        f"{count(found['resamples'])} resamples of {count(found['patients'])} patients"
    )
    columns = ["Label", "AUROC", "Present in", "Images"]
    return details("Control: each label from borders and files", table(caption, columns, rows))


def _severity(row: Mapping[str, Any]) -> Html:
    return tag("span", row["severity"], class_=f"state {'grave' if row['severity'] == 'critical' else 'mild'}")  # fmt: skip


def _consequence(row: Mapping[str, Any]) -> Html:
    if row["accepted"]:
        return Html(f"{tag('strong', 'Accepted: ')}{text(row['accepted'])}")
    return text(row["cure"])


def _expectations(summary: Mapping[str, Any]) -> Html | str:
    """List the rules of the table, whether they held or not."""
    rules = summary.get("great_expectations", [])
    rows = [
        [rule["rule"], rule["rows"], "holds" if rule["success"] else f"broken {count(rule['unexpected'])} times"]
        for rule in rules
    ]  # fmt: skip
    if not rows:
        return ""
    caption = "Rules of the manifest (Great Expectations)"
    held = sum(bool(rule["success"]) for rule in rules)
    return details(
        f"{held} of {len(rows)} rules of the table hold",
        table(caption, ["Rule", "Rows", "Result"], rows, words=(0, 1, 2)),
    )
