"""The top of the report page: what was run, the table of all models, and the page's foot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import origins, phrases
from cxr.report.elements import Html, count, figure, join, number, scaled, table, tag, text

if TYPE_CHECKING:
    from cxr.report import Model, Study


def header(study: Study) -> Html:
    """Say what was run, on what, and what it is not for."""
    best = study.models[0].result
    runs, sets = len(study.models), ", ".join(dataset.title for dataset in study.datasets)
    lead = (
        f"{runs} model{'s' * (runs != 1)} for chest X-ray classification on {sets or 'its data'}, "
        f"judged on {count(best['images'])} test images of {count(best['patients'])} patients"
        + _networks_words(best)
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
        *(tag("p", words, class_="notice", role="note") for words in split_warnings(study.split)),
        tag("dl", *cards, class_="facts"),
    )


def _networks_words(best: Mapping[str, Any]) -> str:
    """Close the first sentence: say over how many folds a model's networks were tested."""
    if "ensemble" in best:
        return f", each by the mean of its {best['ensemble']} networks."
    return f" in {best['folds']} folds." if best["folds"] > 1 else "."


def split_warnings(split: Mapping[str, Any]) -> list[str]:
    """Return what a reader of any number must know of the split: each a sentence."""
    known = [str(words) for words in split.get("warnings", [])]
    if split.get("protocol") == "by_image" and not any("by image" in words for words in known):
        known.insert(0, "split by image: images of one patient stand on both sides")
    return [f"Warning: {words.rstrip('.')}." for words in known]


def results(study: Study) -> Html:
    """Return the table of all models, chance, control, and the figure of metrics against costs."""
    chance = study.models[0].result["chance"]
    by_chance = [number(chance["accuracy"]), "–", number(chance["auroc"]), "–", "–", "–"]
    rows = [_row(study, model) for model in study.models]
    rows.append([tag("em", "chance"), *(tag("em", cell) for cell in by_chance)])
    if _control(study):
        cells = ["–", "–", phrases.interval(_control(study)), "–", "–", "–"]
        words = "control: borders and file statistics alone"
        rows.append([tag("em", words), *(tag("em", cell) for cell in cells)])
    columns = ["Model", *phrases.METRICS.values(), "Parameters", "MACs", "File"]
    pieces = [
        table(f"Test results, sorted by {phrases.METRICS[study.sort_by]}", columns, rows),
        phrases.note(_note(study)),
    ]
    if study.comparison is not None:
        alt = "Accuracy and AUROC of each model with intervals against parameters and MACs."
        lines = " Dotted lines lead from a model to those made of it." if _made(study) else ""
        caption = f"What each model reaches and what it costs.{lines}"
        pieces.append(figure(study.comparison, alt=alt, caption=caption))
    return join(pieces)


def _control(study: Study) -> Mapping[str, Any]:
    """Return the AUROC of the control classifier; empty if it was not measured or has none."""
    found = (study.validation.get("control") or {}).get("auroc") or {}
    return found if found.get("value") is not None else {}


def _row(study: Study, model: Model) -> list[Html]:
    """Return a model's line; where it was made of another, with the difference to that parent."""
    found = model.result
    link = phrases.link(study, model)
    made = origins.words(study, model)
    name = Html(f"{link}{tag('small', made, class_='made')}") if made else link
    parent = _parent(study, model)
    values = []
    for metric in phrases.METRICS:
        lost = _difference(model, parent, metric)
        values.append(Html(f"{_marked(study, model, metric)}{lost}"))
    share = origins.share_of_parent(study, model.name)
    left = _second_line(f"{phrases.percent(share)} of parent") if share is not None else ""
    macs = Html(f"{scaled(found['macs'])}{left}")
    return [name, *values, text(scaled(found["parameters"])), macs, text(phrases.file_size(found["weights_bytes"]))]  # fmt: skip


def _parent(study: Study, model: Model) -> Model | None:
    """Return the model's parent if it is among the models of the study."""
    wanted = origins.origin(study.params, model.name).parent
    return next((other for other in study.models if other.name == wanted), None)


def _difference(model: Model, parent: Model | None, metric: str) -> Html | str:
    """Return the difference to the parent as a second line; nothing without a parent."""
    if parent is None:
        return ""
    values = [one.result[metric]["value"] for one in (model, parent)]
    if None in values:
        return ""
    return _second_line(f"{phrases.signed(values[0] - values[1])} to parent")


def _second_line(words: str) -> Html:
    return tag("small", words, class_="beneath")


def _made(study: Study) -> bool:
    """Tell whether a model of the study was made of another, by pruning or with a teacher."""
    return any(origins.origin(study.params, model.name).parent for model in study.models)


def _note(study: Study) -> str:
    """Explain the table's columns and marks."""
    best = study.models[0].result
    sentences = [
        f"Brackets: {best['confidence']:.0%} intervals from resampling patients "
        f"({count(best['bootstrap']['samples'])} times). ★ highest of its column; models whose "
        "intervals overlap much are not clearly different.",
        f"Chance: {phrases.chance_words(best, 'accuracy')}.",
        *([_control_words(study)] if _control(study) else []),
        "MACs: multiply-accumulates for one image. File: weights "
        f"{'of all networks' if 'ensemble' in best else 'of one network'}.",
    ]
    if "ensemble" in best:
        sentences.append(
            f"Each model is the mean of {best['ensemble']} networks: parameters, MACs and file are "
            f"{best['ensemble']} times those of the largest."
        )
    elif best["folds"] > 1:
        sentences.append(
            "Each fold has its own network: parameters, MACs and file are those of the largest."
        )
    if _made(study):
        sentences.append(
            "Beneath the values of a model that was made of another: its difference to that parent on "
            "the same test images, and what pruning left of the parent's MACs"
            + (" (mean over the folds)." if best["folds"] > 1 else ".")
        )
    if not phrases.exclusive(best):
        sentences.append("Accuracy: mean over the labels.")
    return " ".join(sentences)


def _control_words(study: Study) -> str:
    """Say what the control is, and which part of its features tells how much."""
    found = study.validation["control"]
    return (
        "Control: a linear classifier that sees only borders and file statistics: AUROC "
        f"{number(found['auroc']['value'])} over {count(found['images'])} images in "
        f"{found['folds']} folds by patient (borders alone {number(found['borders'])}, files alone "
        f"{number(found['files'])}); what it reaches, a model may reach without the chest."
    )


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
    kind = "one per image" if phrases.exclusive(found) else "any number per image"
    return ", ".join(names) if len(names) <= 5 else kind
