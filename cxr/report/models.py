"""One article per model: its labels, figures with the numbers behind them, folds and sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import cards, origins, phrases, subgroups
from cxr.report.elements import Html, count, details, figures, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Model, Study


def models(study: Study) -> Html:
    """Return one article per model."""
    return join(_model(study, model) for model in study.models)


def _model(study: Study, model: Model) -> Html:
    found = model.result
    size = f"{scaled(found['parameters'])} parameters, {scaled(found['macs'])} MACs"
    how = (
        "one class per image, the highest score decides"
        if phrases.exclusive(found)
        else "findings that combine, each with the threshold of highest F1 on val"
    )
    if "ensemble" in found:
        size = f"mean of {found['ensemble']} networks, one per fold, together at most {size}"
    elif found["folds"] > 1:
        size = f"{found['folds']} networks, one per fold, at most {size}"
    line = f"Backbone {found['backbone']}: {size}; {how}."
    extras: list[Html | str] = [_thresholds(found), _groups("fold", "per_fold", found)]
    extras.append(_members(found))
    extras += [_groups("source", "per_source", found), subgroups.subgroups(model.subgroups)]
    extras.append(cards.shown(study, model))
    return tag(
        "article",
        tag("h3", model.name),
        *_origin(study, model),
        tag("p", line),
        _per_label(found),
        tag("div", join(_figures(model)), class_="grid"),
        join(extra for extra in extras if extra),
        id=f"model-{phrases.anchor(study, model)}",
    )


def _origin(study: Study, model: Model) -> list[Html]:
    """Say what the model is, how long it was trained, and whether it was exported."""
    pieces = []
    made = origins.words(study, model)
    epochs = origins.origin(study.params, model.name).recipe.get("epochs")
    if made:
        ran = f", in at most {epochs} epochs" if epochs else ""
        pieces.append(tag("p", Html(f"What it is: {made}{ran}."), class_="made"))
    exported = study.exports.get(model.name)
    if exported:
        pieces.append(tag("p", _export_words(exported, together="ensemble" in model.result)))
    return pieces


def _export_words(found: Mapping[str, Any], *, together: bool) -> str:
    folds = found.get("folds", 1)
    size = phrases.file_size(found["onnx_bytes"])
    files = f"{folds} files, one per fold, of at most {size}" if folds > 1 else size
    opset = f", opset {found['opset']}" if "opset" in found else ""
    checked = (
        "its answers were checked against PyTorch's and agree"
        if found.get("agrees")
        else "not checked against PyTorch"
    )
    mean = "; the figures here are of the mean of their scores" if together else ""
    words = f"Exported to ONNX: {files}{opset}; {checked}{mean}."
    return words + _maps_words(found) + _int8_words(found)


def _maps_words(found: Mapping[str, Any]) -> str:
    """Say whether the files tell where a score comes from; nothing for one of which it is unknown."""
    if "files_with_maps" not in found:
        return ""
    having, folds = found["files_with_maps"], found["folds"]
    if not having:
        return " It has no class activation maps; metadata.json beside it says why."
    files = "" if having == folds else f" of {having} of the files"
    return (
        f" Second output{files}: class activation maps, what each place of the image adds to each "
        "label's score."
    )


def _int8_words(found: Mapping[str, Any]) -> str:
    """Say what the same in whole numbers of 8 bits costs, where it was made."""
    if "int8" not in found:
        return ""
    one, other = found["int8"]["float32"], found["int8"]["int8"]
    several = found["folds"] > 1
    size = f"{'at most ' if several else ''}{phrases.file_size(other['onnx_bytes'])}"
    costs = [
        f"{word} {number(other[key])} instead of {number(one[key])}"
        for word, key in (("AUROC", "val_auroc"), ("accuracy", "val_accuracy"))
    ]
    mean = ", in the mean of the folds" if several else ""
    return f" In whole numbers of 8 bits too (int8): {size}, on val {' and '.join(costs)}{mean}."


def _per_label(found: Mapping[str, Any]) -> Html:
    rows = [
        [phrases.spaced(name), count(label["support"]), *(number(label[key]) for key in ("precision", "recall", "f1")),
         phrases.interval(label["auroc"])]
        for name, label in ((name, found["per_label"][name]) for name in found["labels"])
    ]  # fmt: skip
    averages = ["all", count(found["images"]), "–", number(found["balanced_accuracy"]["value"])]
    rows.append([tag("em", cell) for cell in [*averages, number(found["macro_f1"]["value"]), phrases.interval(found["auroc"])]])  # fmt: skip
    columns = ["Label", "Images", "Precision", "Recall", "F1", "AUROC"]
    caption = "Each label against the rest; last row: images, balanced accuracy and macro averages"
    if not phrases.exclusive(found):
        caption = "Each label by itself; last row: images, balanced accuracy and macro averages"
    return table(caption, columns, rows)


def _figures(model: Model) -> list[Html]:
    """Return the model's figures that exist, in reading order."""
    found, name = model.result, model.name
    auroc = number(found["auroc"]["value"])
    ece = number(found["calibration"]["ece"])
    decided = (
        f"Decisions of {name} by label",
        "Decisions by label, where it is present and where it is absent.",
    )
    if phrases.exclusive(found):
        decided = f"Confusion matrix of {name}", "Confusion matrix: rows are the true classes."
    known = [
        ("roc", f"ROC curves of {name}, macro AUROC {auroc}.", "ROC curves of each label against the rest.", ""),
        ("confusion", f"{decided[0]}; its numbers stand in the table below it.", decided[1], _confusion_table(model)),
        ("reliability", f"Reliability diagram of {name}, expected calibration error {ece}.",
         f"Calibration: expected calibration error {ece}, Brier score {number(found['calibration']['brier'])}.",
         _reliability_table(model)),
        ("history", f"Loss and validation metrics of {name} over the epochs of training.", "Learning curves, one line per fold; val chooses the epoch that is kept.", ""),
    ]  # fmt: skip
    return figures(model.figures, known)


def _confusion_table(model: Model) -> Html:
    names = [phrases.spaced(name) for name in model.result["labels"]]
    counted = zip(names, model.result["confusion"], strict=True)
    if not phrases.exclusive(model.result):
        columns = ["Label", "Found", "Missed", "False alarms", "Cleared"]
        caption = "Images in which a label is present (found or missed) and absent, by decision"
        rows = [[name, *map(count, (*there, *not_there))] for name, (there, not_there) in counted]
        return table(caption, columns, rows)
    rows = [[name, *map(count, row)] for name, row in counted]
    return table("Images by true class (rows) and predicted class", ["True class", *names], rows)


def _reliability_table(model: Model) -> Html | str:
    rows = [
        [f"{row['from']:.2f}–{row['to']:.2f}", count(int(row["count"])), number(row["mean_score"]), number(row["came_true"])]
        for row in model.reliability
        if row["count"]
    ]  # fmt: skip
    columns = ["Score", "Count", "Mean score", "Came true"]
    return table("Claims by score", columns, rows) if rows else ""


def _thresholds(found: Mapping[str, Any]) -> Html | str:
    if not found.get("thresholds"):
        return ""
    together = "ensemble" in found
    folds = ["All folds"] if together else [f"Fold {i}" for i in range(found["folds"])]
    rows = [
        [phrases.spaced(name), *map(number, found["thresholds"][name])] for name in found["labels"]
    ]
    caption = "A label is present from this score on (highest F1 on val)"
    if together:
        caption = (
            "A label is present from this mean score on (highest F1 on the val images of all folds, "
            "each scored by the network that did not train on it)"
        )
    return details("Thresholds", table(caption, ["Label", *folds], rows))


def _members(found: Mapping[str, Any]) -> Html | str:
    """Set what each network of a mean reaches by itself beside the mean."""
    if "ensemble" not in found:
        return ""
    rows = [
        [f"network of fold {name}", *(number(alone[metric]) for metric in phrases.METRICS)]
        for name, alone in sorted(found["members"].items(), key=phrases.natural)
    ]
    means = [
        phrases.mean([alone[metric] for alone in found["members"].values()])
        for metric in phrases.METRICS
    ]
    rows.append([tag("em", "mean of these rows"), *(tag("em", number(value)) for value in means)])
    values = (number(found[metric]["value"]) for metric in phrases.METRICS)
    rows.append([tag("strong", "mean of the scores"), *(tag("strong", value) for value in values)])
    caption = (
        f"Each network by itself and the mean of the {found['ensemble']}, on the same test images"
    )
    columns = ["Scored by", *phrases.METRICS.values()]
    return details("Each network by itself", table(caption, columns, rows))


def _groups(word: str, key: str, found: Mapping[str, Any]) -> Html | str:
    groups = found.get(key, {})
    if len(groups) < 2:
        return ""
    rows = [
        [name, count(group["images"]), *(number(group[metric]) for metric in phrases.METRICS)]
        for name, group in sorted(groups.items(), key=phrases.natural)
    ]
    caption = f"Results by {word}; a dash where a label is absent"
    return details(
        f"By {word}", table(caption, [word.capitalize(), "Images", *phrases.METRICS.values()], rows)
    )
