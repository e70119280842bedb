"""The top of the report page: what was run, the table of all models, and the page's foot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import phrases
from cxr.report.elements import Html, count, figure, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Model, Study


def header(study: Study) -> Html:
    """Say what was run, on what, and what it is not for."""
    best = study.models[0].result
    runs, sets = len(study.models), ", ".join(dataset.title for dataset in study.datasets)
    lead = (
        f"{runs} model{'s' * (runs != 1)} for chest X-ray classification on {sets or 'its data'}, "
        f"judged on {count(best['images'])} test images of {count(best['patients'])} patients"
        + (f" in {best['folds']} folds." if best["folds"] > 1 else ".")
    )
    facts = [
        (
            phrases.METRICS[study.sort_by],
            phrases.interval(best[study.sort_by]),
            f"best: {study.models[0].name}",
        ),
        ("Test images", count(best["images"]), f"of {count(best['patients'])} patients"),
        ("Labels", str(len(best["labels"])), _label_words(best)),
        ("Chance", number(_chance(best, study.sort_by)), phrases.chance_words(best, study.sort_by)),
    ]
    cards = [
        tag("div", tag("dt", name), tag("dd", tag("strong", value), tag("span", words)))
        for name, value, words in facts
    ]
    return tag(
        "header",
        tag("p", "cxrepro · report of a study", class_="kicker"),
        tag("h1", study.name),
        tag("p", lead, class_="lead"),
        tag("p", phrases.RESEARCH_ONLY, class_="notice", role="note"),
        tag("dl", *cards, class_="facts"),
    )


def results(study: Study) -> Html:
    """Return the table of all models, the chance line and the figure of metrics against costs."""
    confidence = study.models[0].result["confidence"]
    rows = []
    for model in study.models:
        found = model.result
        values = [_marked(study, model, metric) for metric in phrases.METRICS]
        costs = [
            scaled(found["parameters"]),
            scaled(found["macs"]),
            phrases.file_size(found["weights_bytes"]),
        ]
        link = tag("a", model.name, href=f"#model-{phrases.anchor(study, model)}")
        rows.append([link, *values, *costs])
    chance = study.models[0].result["chance"]
    by_chance = [number(chance["accuracy"]), "–", number(chance["auroc"]), "–", "–", "–"]
    rows.append([tag("em", "chance"), *(tag("em", cell) for cell in by_chance)])
    columns = ["Model", *phrases.METRICS.values(), "Parameters", "MACs", "File"]
    exclusive = study.models[0].result["loss"] == "cross_entropy"
    note = (
        f"Brackets: {confidence:.0%} intervals from resampling patients "
        f"({count(study.models[0].result['bootstrap']['samples'])} times). ★ highest of its column; "
        "models whose intervals overlap much are not clearly different. Chance: "
        f"{phrases.chance_words(study.models[0].result, 'accuracy')}. MACs: multiply-accumulates for one "
        "image. File: weights of one network."
        + ("" if exclusive else " Accuracy: mean over the labels.")
    )
    pieces = [
        table(f"Test results, sorted by {phrases.METRICS[study.sort_by]}", columns, rows),
        phrases.note(note),
    ]
    if study.comparison is not None:
        alt = "Accuracy and AUROC of each model with intervals against parameters and MACs."
        pieces.append(
            figure(study.comparison, alt=alt, caption="What each model reaches and what it costs.")
        )
    return join(pieces)


def footer(study: Study) -> Html:
    """Close the page."""
    return tag("footer", tag("p", f"{study.name} · made by cxrepro · {phrases.RESEARCH_ONLY}"))


def _marked(study: Study, model: Model, metric: str) -> Html:
    """Return the model's value; the highest of all models with a star."""
    values = [
        m.result[metric]["value"] for m in study.models if m.result[metric]["value"] is not None
    ]
    shown = phrases.interval(model.result[metric])
    if len(study.models) < 2 or not values or model.result[metric]["value"] != max(values):
        return shown
    star = Html(
        f"{tag('span', '★', aria_hidden='true')}{tag('span', 'highest: ', class_='hidden')}"
    )
    return tag("strong", star, shown, class_="best")


def _chance(found: Mapping[str, Any], metric: str) -> float | None:
    return found["chance"].get(metric)


def _label_words(found: Mapping[str, Any]) -> str:
    """Name the labels if they are few."""
    names = [phrases.spaced(name) for name in found["labels"]]
    kind = "one per image" if found["loss"] == "cross_entropy" else "any number per image"
    return ", ".join(names) if len(names) <= 5 else kind
