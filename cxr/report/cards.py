"""A model's card: what it is, what it was made for, of which data, how good for whom, and what not to trust it with.

After Mitchell et al. 2019, "Model cards for model reporting" (https://doi.org/10.1145/3287560.3287596):
a tree of plain values for programs, reports/compare/cards/<model>.json, and the same for people in the
model's part of the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr import limits
from cxr.report import origins, phrases, results
from cxr.report.elements import Html, details, join, tag

if TYPE_CHECKING:
    from cxr.report import Model, Study

INTENDED_USE = (
    "research on the classification of chest X-rays, on images prepared as this study prepares them"
)
_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "average_precision")
_OF_LABEL = ("support", "precision", "recall", "specificity", "f1", "auroc", "average_precision")
_OF_GROUP = ("attribute", "group", "images", "patients", "auroc", "auroc_low", "auroc_high",
             "auroc_to_all", "auroc_to_all_low", "auroc_to_all_high", "note")  # fmt: skip


def card(study: Study, model: Model) -> dict[str, Any]:
    """Return the card of one of the study's models; None is undefined or unknown."""
    found, params = model.result, study.params
    made, split = origins.origin(params, model.name), origins.section(params, "split")
    return {
        "model": model.name,
        "study": study.name,
        "notice": phrases.RESEARCH_ONLY,
        "intended_use": INTENDED_USE,
        "limits": _limits(study, made),
        "network": {
            "kind": made.kind,
            "made_of": made.parent,
            **{key: found.get(key) for key in ("backbone", "loss", "parameters", "macs", "weights_bytes", "folds")},
            "networks_in_the_mean": found.get("ensemble"),
        },
        "data": [
            {key: getattr(source, key) for key in ("title", "url", "citation", "licence", "redistributable")}
            for source in study.datasets
        ],
        "preprocessing": origins.section(params, "preprocess").get("steps"),
        "evaluation": {
            "split": {key: split.get(key) for key in ("protocol", "folds", "test")},
            "images": found["images"], "patients": found["patients"],
            "confidence": found["confidence"], "resamples": found["bootstrap"]["samples"],
            "chance": found["chance"],
            "control_auroc": (study.validation.get("control") or {}).get("auroc"),
        },
        "metrics": {key: found.get(key) for key in _METRICS},
        "labels": {
            name: {key: found["per_label"][name].get(key) for key in _OF_LABEL} for name in found["labels"]
        },
        "calibration": {key: found["calibration"].get(key) for key in ("ece", "brier")},
        "groups": [
            {key: row.get(key) for key in _OF_GROUP} for row in model.subgroups if not row["label"]
        ],
        "exported": study.exports.get(model.name),
    }  # fmt: skip


def shown(study: Study, model: Model) -> Html:
    """Return what of the card the model's part of the report does not say already, opening on demand."""
    told = card(study, model)
    licences = [
        f"{one['title']} ({one['citation']}): licence {one['licence']}" for one in told["data"]
    ]
    facts = [
        ("Intended use", [f"{told['intended_use']}."]),
        ("Learned from", licences),
        ("Limits", told["limits"]),
        ("For programs", [f"reports/compare/cards/{model.name}.json"]),
    ]
    return details(
        "Model card", tag("dl", *_terms(facts), class_="sources"), tag("p", told["notice"])
    )


def _terms(facts: Sequence[tuple[str, Sequence[str]]]) -> list[Html]:
    return [
        join([tag("dt", name), *(tag("dd", line) for line in lines)])
        for name, lines in facts
        if lines
    ]


def _limits(study: Study, made: origins.Origin) -> list[str]:
    """Say what holds of any such model, and what this study's data are known to do."""
    split: Mapping[str, Any] = origins.section(study.params, "split")
    general = limits.limits(
        data_sets=origins.section(study.params, "ingest").get("datasets") or [],
        protocol=str(split.get("protocol")),
        calibrated=made.recipe.get("calibration") == "temperature",
    )
    return general + results.split_warnings(study.split)
