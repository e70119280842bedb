"""What the search found: on which terms, whether evolution beat chance, fronts, finalists, the picked networks.

Everything here was measured on search_val, with which the picks were chosen, or on val, which chose
nothing. What the picks are worth on test stands under Results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr.report import finals, origins, phrases, tries
from cxr.report.elements import Html, count, figures, join, scaled, table, tag, text

if TYPE_CHECKING:
    from cxr.report import Search, Study

_MEASURES = {"parameters": "Number of parameters", "macs": "MACs"}


def search(study: Study) -> Html:
    """Return one article per search."""
    return join(_search(study, found) for found in study.searches)


def _search(study: Study, found: Search) -> Html:
    recipe = origins.recipe_of(study.params, "search", found.name)
    grid = finals.methods(found) == ["grid"]
    pieces = [
        tag("h3", found.name),
        tag("p", _setting(found, recipe)),
        finals.verdict(found),
        finals.finalists(found),
        tries.top_ten(found),
        "" if grid else finals.terms(found),
        phrases.note(_note(study, found)),
        tag("div", join(_figures(found, recipe)), class_="stack"),
        _correlations(found, recipe),
        tries.picks(found),
    ]
    return tag("article", *(piece for piece in pieces if piece))


def _setting(found: Search, recipe: Mapping[str, Any]) -> str:
    """Say what was optimised, on which images, at what expense and under which caps."""
    score, folds = finals.SCORES[found.score], len(found.metrics["folds"])
    space = (recipe.get("space") or {}).get("name")
    of_space = f" of the space {space}" if space else ""
    if finals.methods(found) == ["grid"]:
        each = f"For each of {folds} folds, every" if folds > 1 else "Every"
        pieces = [f"{each} network{of_space} was trained and ranked by {score} on search_val."]
    else:
        each = "For each fold by itself, evolution" if folds > 1 else "Evolution"
        rival = " Random search had the same means." if "random" in finals.methods(found) else ""
        pieces = [
            f"{each} (NSGA-II) looked for networks{of_space} with the highest {score} on search_val "
            f"and the fewest MACs.{rival}"
        ]
    pieces += [_budget(recipe), _image(recipe), _caps(recipe), _anew(found)]
    pieces.append("Val chose nothing, and test was never seen.")
    return " ".join(piece for piece in pieces if piece)


def _budget(recipe: Mapping[str, Any]) -> str:
    """Say how many networks were trained on how many images, rung by rung."""
    rungs, generations = recipe.get("rungs") or [], recipe.get("generations", 1)
    if not rungs:
        return ""
    first, *higher = rungs
    if generations == 1 and not higher:
        return f"Each saw {count(first['samples'])} training images."
    words = (
        f"Each of {generations} generations trained {first['networks']} networks on "
        f"{count(first['samples'])} images"
    )
    for rung in higher:
        words += f", the best {rung['networks']} of them anew on {count(rung['samples'])}"
    return words + (" (successive halving)." if higher else ".")


def _image(recipe: Mapping[str, Any]) -> str:
    if "image_px" not in recipe:
        return ""
    return f"Images had {recipe['image_px']} px while searching; costs are those at the full size."


def _caps(recipe: Mapping[str, Any]) -> str:
    caps = (recipe.get("space") or {}).get("caps") or {}
    units = {"parameters": " parameters", "macs": " MACs", "activation_mb": " MB of activations"}
    words = [f"{scaled(caps[key])}{unit}" for key, unit in units.items() if caps.get(key)]
    return f"Caps: {', '.join(words)}." if words else ""


def _anew(found: Search) -> str:
    """Say how the pick was made."""
    if not found.finalists:
        return ""
    seeds = len({row["seed"] for row in found.finalists})
    whose = "The best of each method" if len(finals.methods(found)) > 1 else "The best"
    return (
        f"{whose} were then trained anew with {seeds} other seed{'s' * (seeds > 1)}; of these the "
        "network of the highest mean on search_val was picked."
    )


def _note(study: Study, found: Search) -> Html:
    """Say what is compared with what, and where the models' own results stand."""
    made = [x for x in study.models if origins.search_of(study.params, x.name) == found.name]
    alike = ""
    if len(finals.methods(found)) > 1 and finals.equal(found):
        alike = (
            "Equal terms: the methods drew from the same space, under the same caps, and their "
            "networks saw as many images in all. "
        )
    elif len(finals.methods(found)) > 1:
        alike = "Unequal terms: one method's networks saw more images than the other's. "
    baselines = [name for name in found.metrics.get("baselines", []) if name]
    if baselines:
        alike += "Baselines were trained as the finalists, on as many images, and need not keep to the caps. "
    return Html(
        f"{text(alike)}What search_val chose looks better there than it is; what the picks "
        f"are worth on test stands under Results{phrases.links(study, made)}."
    )


def _figures(found: Search, recipe: Mapping[str, Any]) -> list[Html]:
    """Return the search's figures that exist, with the numbers behind them."""
    score, name = finals.SCORES[found.score], found.name
    caps = (recipe.get("space") or {}).get("caps") or {}
    faint = "Small and faint: lower rungs. " if _halving(found) else ""
    known = [
        ("front", f"{score} on search_val against MACs of the networks that search {name} tried.",
         f"Networks tried: {score} on search_val against MACs. {faint}Of a front no "
         f"other network of the same method and rung has both a higher {score} and fewer MACs.", tries.fronts(found)),
        ("progress", f"Best {score} so far and hypervolume of each method of search {name}, by images seen.",
         "What each method had found after as many training images, over all rungs. Hypervolume: the "
         f"share of all {score} above 0.5 and MACs below the cap that the front commands.",
         tries.progress(found, max_macs=caps.get("macs"))),
        ("finalists", f"{score} on search_val and val of the finalists and baselines of search {name}.",
         "Finalists and baselines, trained anew alike; small marks are single repeats.", ""),
        ("winner", f"The networks that search {name} picked, from input to output.",
         "The picked networks: channels (ch) and side (px) of the maps of each stage, and its shares of "
         "MACs and parameters; the classifier is not counted.", ""),
    ]  # fmt: skip
    if finals.methods(found) == ["grid"]:  # whose order says nothing
        known = [entry for entry in known if entry[0] != "progress"]
    return figures(found.figures, known)


def _correlations(found: Search, recipe: Mapping[str, Any]) -> Html | str:
    """List how well cheaper measures ranked networks as the top rung did."""
    known = found.metrics.get("correlations") or {}
    rows = [
        [_measure(name, recipe), _tau(tau), count(round(tau["networks"] or 0))]
        for name, tau in sorted(known.items(), key=_rungs_first)
        if tau["tau"] is not None
    ]
    if not rows:
        return ""
    mean = ", means over the folds" if len(found.metrics["folds"]) > 1 else ""
    caption = (
        "Do cheaper measures rank networks as the top rung does? Kendall's tau, "
        f"1: the same order, 0: no relation; brackets: 95 % bootstrap{mean}"
    )
    columns = ["Measure", "Tau with the top rung", "Networks"]
    return join([table(caption, columns, rows), phrases.note(_choice(found, recipe))])


def _rungs_first(item: tuple[str, Any]) -> tuple[bool, bool, str]:
    """Sort lower rungs first, then sizes, then proxies."""
    name = item[0]
    return not name.startswith("rung_"), name not in _MEASURES, name


def _measure(name: str, recipe: Mapping[str, Any]) -> str:
    if not name.startswith("rung_"):
        return _MEASURES.get(name, f"Proxy {name}, before training")
    rungs, place = recipe.get("rungs") or [], int(name.removeprefix("rung_"))
    seen = f" ({count(rungs[place]['samples'])} images)" if place < len(rungs) else ""
    return f"Score at rung {place}{seen}"


def _tau(tau: Mapping[str, float | None]) -> Html:
    value = {"value": tau["tau"], "low": tau["low"], "high": tau["high"]}
    return phrases.interval(value)


def _choice(found: Search, recipe: Mapping[str, Any]) -> str:
    """Say what chose among evolution's children: a guide, a proxy where it had proved itself, or nothing."""
    passed = ""
    if _halving(found):
        passed = "Only networks that the lower rungs let pass are ranked here. "
    choosers = found.metrics.get("choosers") or []
    if recipe.get("prefilter"):
        return (
            f"{passed}Pre-filter {recipe['prefilter'].get('proxy')}: proven on generation 0, and so "
            f"used, in {sum(bool(x['acted']) for x in choosers)} of {len(choosers)} folds."
        )
    if not choosers:
        return f"{passed}Nothing chose among children."
    known = [x["tau"] for x in choosers if x["tau"] is not None]
    mean = f"{sum(known) / len(known):.2f}" if known else "undefined"
    return (
        f"{passed}Of {recipe.get('guide')} children the guide chose the one to train, by what the search "
        f"had found so far; its forecasts rank those trained as the first rung did with tau {mean}."
    )


def _halving(found: Search) -> bool:
    """Tell whether there was more than one rung."""
    return any(row["rung"] for row in found.candidates)
