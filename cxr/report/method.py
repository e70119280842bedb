"""How the figures came about and how to get them again: protocol, parameters, promise."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from cxr.report.elements import Html, count, details, join, tag, text

if TYPE_CHECKING:
    from cxr.report import Study

PROMISE = (
    "Same commit, same lock file, x86-64 with AVX2 and FMA, profile `exact`: every output "
    "byte-identical, whatever the number of cores or workers, the user, path, locale, time zone or "
    "load. Claim it only for processors where it was run; `make doctor` probes a machine in seconds "
    "against golden hashes and says which class it is in. The lock is for one Python minor, 3.11 "
    '(`requires-python = "==3.11.*"`; uv finds or fetches it), since other minors resolve other '
    "numpy versions. Other devices (GPU, ARM) are profiles of their own, repeatable at most on the "
    "same device, never equal to the CPU."
)


def protocol(study: Study) -> Html:
    """Say in words how the data were divided and judged, and show the parameters."""
    best = study.models[0].result
    split = study.params.get("split", {})
    lines = []
    if split:
        lines.append(
            "Images were divided one by one, as some older works did: a patient's images can stand "
            "in several parts, so results are likely too high; labels are spread evenly."
            if split.get("protocol") == "by_image"
            else "Patients never cross parts: all images of a patient, and duplicate images of several "
            "patients, stay together; labels are spread evenly."
        )
        lines.append(_folds_words(split))
    if study.searches or study.prunings:
        lines.append(
            "Search and pruning ranked their candidates on search_val, and nothing else did; val "
            "chose epochs; test images were scored once the models were made."
        )
    lines.append(
        f"Intervals: {best['confidence']:.0%} percentile bootstrap over patients, "
        f"{count(best['bootstrap']['samples'])} resamples, the same ones for every model. They show "
        "the spread of patients, not of repeated trainings."
    )
    left_out = _left_out(study)
    if left_out:
        lines.append(left_out)
    pixels = study.params.get("preprocess", {}).get("steps", [])
    if pixels:
        lines.append(f"Images: 8-bit grey; steps before training: {', '.join(map(_step, pixels))}.")
    shown = tag("pre", tag("code", _yaml(study.params)), tabindex="0")
    return join(
        [
            tag("ul", *(tag("li", line) for line in lines)),
            details("All parameters (params.yaml)", shown),
        ]
    )


def _folds_words(split: Mapping[str, Any]) -> str:
    """Say which network judges which image."""
    folds = split.get("folds", 1)
    if folds == 1:
        return "One held-out test part, looked at once, after the epoch was chosen on val."
    if split.get("test") == "held_out":
        return (
            f"{folds} folds around one held-out test part: the other images are val in one fold and "
            f"train in the rest, and what the {folds} networks of a model say of a test image is "
            "averaged; test was looked at once, after the epochs were chosen on val."
        )
    unseen = "it" if split.get("protocol") == "by_image" else "any image of its patient"
    return (
        f"{folds} folds: each image is tested once, by the network that did not see {unseen}; scores "
        "of all folds are pooled."
    )


def _step(step: Mapping[str, Any]) -> str:
    """Say a preprocessing step with its parameters."""
    settings = ", ".join(f"{key} {value}" for key, value in step.items() if key != "name")
    return f"{step.get('name')} ({settings})" if settings else str(step.get("name"))


def _left_out(study: Study) -> str:
    worst = {
        model.name: max(model.result["bootstrap"]["left_out"].values(), default=0)
        for model in study.models
    }
    if not any(worst.values()):
        return ""
    words = ", ".join(f"{count(n)} for {name}" for name, n in worst.items() if n)
    return f"Resamples in which a metric is undefined (a class was not drawn) are left out: at most {words}."


def reproduce(study: Study) -> Html:
    """Quote the promise and say how to check it."""
    commands = f"make study STUDY={study.name}\nmake repro\nmake verify STUDY={study.name}"
    words = (
        "The first two commands make this page; the last makes everything again in a clean clone, "
        "without caches, and compares each output's hash with the recorded one."
    )
    return join(
        [
            tag("blockquote", tag("p", _code(PROMISE))),
            tag("pre", tag("code", commands), tabindex="0"),
            tag("p", words),
        ]
    )


def _code(words: str) -> Html:
    """Turn `this` into code."""
    pieces = words.split("`")
    return Html(
        "".join(tag("code", piece) if i % 2 else text(piece) for i, piece in enumerate(pieces))
    )


def _yaml(tree: Mapping[str, Any]) -> str:
    """Return parameters as YAML in their own order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.width = 100
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    buffer = io.StringIO()
    yaml.dump(dict(tree), buffer)
    return buffer.getvalue()
