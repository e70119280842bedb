"""What each model of a study is, in plain words: params.yaml tells it, the reports tell how much is left.

*Parent*: the model out of which a pruned one was cut, or whose network was trained again with a
teacher. *Cut*: <method>_<percent>, see cxr/pruning/methods.py; pruned_*: what won the contest of all
methods. *Random*: the best of as many random networks, the baseline of search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cxr import architectures
from cxr.pruning import methods
from cxr.report import phrases
from cxr.report.elements import Html, tag, text

if TYPE_CHECKING:
    from cxr.report import Model, Study

Kind = Literal["trained", "evolved", "random", "grid", "taught", "cut"]
FOUND: dict[str, Kind] = {"evolved": "evolved", "random": "random", "grid": "grid"}
BY = {
    "evolved": "by evolution",
    "uniform": "uniformly",
    "global": "by global L1",
    "bn_scale": "by BatchNorm scale",
    "taylor": "by Taylor",
    "reconstruction": "by reconstruction",
    "random": "by chance",
    "sensitivity": "by sensitivity",
}
"""Method → how it pruned."""
_IMAGENET = ("imagenet", "in1k", "in21k", "in22k")  # what timm and this project put in file names


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a model comes from, as far as the parameters say it."""

    kind: Kind
    recipe: Mapping[str, Any]
    """its recipe in the recipes of transfer, distill or finish; empty if there is none"""
    parent: str | None
    """the model that it was made of"""
    cut: str | None = None
    """of a pruned one: <method>_<percent>"""


def origin(params: Mapping[str, Any], name: str) -> Origin:
    """Return what the model `name` is; a recipe of transfer goes before a name that was made of it."""
    recipe = recipe_of(params, "transfer", name)
    run, _, ending = name.rpartition("-")
    if not recipe and ending == "taught" and run in runs(params, "distill"):
        return Origin(kind="taught", recipe=recipe_of(params, "distill", run), parent=run)
    if not recipe and ending in cuts(params) and run in runs(params, "prune"):
        own = recipe_of(params, "finish", run)
        return Origin(kind="cut", recipe=own, parent=run, cut=ending)
    options = recipe.get("backbone_options") or {}
    found = recipe.get("backbone") == "searched" and not architectures.written_out(options)
    kind = FOUND.get(str(options.get("pick")), "evolved") if found else "trained"
    return Origin(kind=kind, recipe=recipe, parent=None)


def parents(params: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    """Return the parents, by model, of those of the named models that were made of another."""
    known = {name: origin(params, name).parent for name in names}
    return {name: parent for name, parent in known.items() if parent is not None}


def search_of(params: Mapping[str, Any], name: str) -> str | None:
    """Return the search that found a model's network; None for another model."""
    made = origin(params, name)
    if made.kind not in FOUND:
        return None
    return str((made.recipe.get("backbone_options") or {}).get("search"))


def section(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section of the parameters; an empty one if the study has none."""
    return params.get(name) or {}


def runs(params: Mapping[str, Any], stage: str) -> list[str]:
    """Return the runs that the study lists for a stage."""
    return [str(name) for name in section(params, stage).get("runs") or []]


def cuts(params: Mapping[str, Any]) -> list[str]:
    """Return the cuts of every pruned run that the study fine-tunes."""
    return [str(name) for name in section(params, "finish").get("cuts") or []]


def recipe_of(params: Mapping[str, Any], stage: str, run: str) -> Mapping[str, Any]:
    """Return a run's recipe; an empty one if the parameters hold none."""
    return (section(params, stage).get("recipes") or {}).get(run) or {}


def words(study: Study, model: Model) -> Html:
    """Say what a model is; nothing if the parameters don't know it."""
    made = origin(study.params, model.name)
    if not made.recipe:
        return Html("")
    if made.kind == "taught":
        return _taught_words(study, made)
    if made.parent is not None:
        return _cut_words(study, model, made)
    return Html(f"{_found_words(made)}{_start_words(made.recipe)}{_frozen_words(made.recipe)}")


def share_of_parent(study: Study, name: str) -> float | None:
    """Return the share of its parent's MACs that a pruned model has left: the mean over its folds."""
    made = origin(study.params, name)
    for pruning in study.prunings:
        if pruning.name == made.parent and made.cut is not None:
            return pruning.share(made.cut)
    return None


def _found_words(made: Origin) -> Html:
    if made.kind == "trained":
        return Html("")
    search = tag("code", (made.recipe.get("backbone_options") or {}).get("search", "?"))
    if made.kind == "random":
        return Html(f"the best of the random networks of search {search}, its baseline; ")
    if made.kind == "grid":
        return Html(f"the best of the grid of search {search}, ")
    return Html(f"found by search {search}, ")


def _start_words(recipe: Mapping[str, Any]) -> Html:
    weights = recipe.get("weights")
    if not weights:
        return Html("trained from scratch")
    if weights == "searched":
        return Html("fine-tuned from the weights of its search")
    named = weights.get("file") or weights.get("hub") if isinstance(weights, Mapping) else weights
    file = str(named).rpartition("/")[2]
    if any(word in file.lower() for word in _IMAGENET):
        return Html("fine-tuned from ImageNet weights")
    return Html(f"fine-tuned from the weights in {tag('code', file)}")


def _frozen_words(recipe: Mapping[str, Any]) -> Html:
    trainable = list(recipe.get("trainable") or ["all"])
    if trainable == ["all"]:
        return Html("")
    return Html(f" ({text(', '.join(map(str, trainable)))} alone; the rest is frozen)")


def _taught_words(study: Study, made: Origin) -> Html:
    """Say who taught it: its parent had the same start and the same batches, and no teacher."""
    teacher, parent = (
        tag("code", section(study.params, "distill").get("teacher")),
        tag("code", made.parent),
    )
    return Html(f"{parent} trained again from its start, taught by {teacher}")


def _cut_words(study: Study, model: Model, made: Origin) -> Html:
    """Say out of which model it was cut, how, and how it was trained afterwards."""
    assert made.cut is not None
    method, percent = methods.parse(made.cut)
    share = share_of_parent(study, model.name)
    left = phrases.percent(percent / 100 if share is None else share)
    left = f"to {'at most ' if share is None else ''}{left} of its MACs"
    taught = (made.recipe.get("distillation") or {}).get("weight", 0) > 0
    tuned = "fine-tuned with distillation" if taught else "fine-tuned"
    parent = tag("code", made.parent)
    if method == methods.PICK:
        return Html(f"{parent} pruned {left} {_winners_words(study, made)}, {tuned}")
    if method == "evolved":
        return Html(f"{parent} pruned {BY[method]} {left}, {tuned}")
    return Html(f"{parent} pruned {BY[method]} {left}: a baseline, {tuned} alike")


def _winners_words(study: Study, made: Origin) -> str:
    """Say how the cut that is handed over was made."""
    found = [x for x in study.prunings if x.name == made.parent]
    winners = [cut["origin"] for cut, _ in found[0].cuts(str(made.cut))] if found else []
    if not winners:
        return "by the method that won the contest"
    if len(set(winners)) == 1:
        return f"{BY[winners[0]]}, which won the contest of all methods"
    counts = [f"{BY[x]} in {winners.count(x)}" for x in BY if x in winners]
    return f"by what won the contest of each fold ({', '.join(counts)})"
