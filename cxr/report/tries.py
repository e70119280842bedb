"""The networks that a search tried, as tables: best ones, fronts, progress, the top ten of a grid, the picks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr import architectures
from cxr.evolution.hypervolume import covered
from cxr.report import finals, phrases
from cxr.report.elements import Html, count, details, join, number, scaled, table, tag

if TYPE_CHECKING:
    from cxr.report import Search

_SHOWN = 8  # rows of a method's candidates
_TOP = 10  # rows of a grid's best
_FOLD = 0  # the fold that stands for all where a table for each would be a wall

Row = Mapping[str, Any]


def fronts(found: Search) -> Html | str:
    """List the best networks and the fronts of each method at the top rung, of one fold."""
    here = [row for row in _at_top(found) if row["fold"] == _FOLD]
    where = f" of fold {_FOLD}" if len(found.metrics["folds"]) > 1 else ""
    pieces = []
    for method in finals.methods(found):
        words = finals.METHODS[method]
        tried = _best_first([row for row in here if row["method"] == method], found.score)
        front = [row for row in tried if row["front"]]
        for what, rows in (("front", front), ("top candidates", tried)):
            caption = f"{words}: the {what}{where}{phrases.some(_SHOWN, len(rows))}"
            pieces.append(_candidates(caption, rows[:_SHOWN], found.score))
    return join(pieces)


def _candidates(caption: str, rows: Sequence[Row], score: str) -> Html:
    """List networks, best first; the pick is starred."""
    columns = ["Rank", finals.SCORES[score], "MACs", "Parameters", "Generation", "Network"]
    lines = [
        [place, _score(row, score), scaled(row["macs"]), scaled(row["parameters"]),
         count(int(row["generation"])), network(row["architecture"], row["picked"])]
        for place, row in enumerate(rows, start=1)
    ]  # fmt: skip
    return table(caption, columns, lines, words=(0, 5))


def top_ten(found: Search) -> Html | str:
    """List the best networks of a grid by what they differ in; with several folds by their mean."""
    rows = [row for row in _at_top(found) if row["method"] == "grid"]
    if not rows:
        return ""
    folds, score = len(found.metrics["folds"]), found.score
    networks: dict[str, list[Row]] = {}
    for row in rows:
        networks.setdefault(str(row["architecture"]), []).append(row)
    means = {x: phrases.mean([row[score] for row in mine]) or 0.0 for x, mine in networks.items()}
    ranked = sorted(networks, key=lambda x: (-means[x], networks[x][0]["macs"], x))[:_TOP]
    choices = _choices(list(networks))
    lines = []
    for place, name in enumerate(ranked, start=1):
        mine, first = networks[name], networks[name][0]
        picks = sum(bool(row["picked"]) for row in mine)
        value = (
            phrases.plus_minus([row[score] for row in mine]) if folds > 1 else _score(first, score)
        )
        words = [tree[key] for tree in [json.loads(name)] for key in choices] or [network(name)]
        costs = [scaled(first[key]) for key in ("macs", "parameters")]
        memory = phrases.file_size(int(first["activation_bytes"]))
        rank = f"{place}, picked in {picks} of {folds}" if folds > 1 and picks else str(place)
        lines.append([phrases.starred(rank, picks and folds == 1), *words, value, *costs, memory])
    mean = "; mean ± half of the 95 % t-interval over folds" if folds > 1 else ""
    caption = f"The best {len(lines)} of {count(len(networks))} networks, by {finals.SCORES[score]} on search_val{mean}"
    columns = [phrases.spaced(key).capitalize() for key in choices] or ["Network"]
    columns = ["Rank", *columns, finals.SCORES[score], "MACs", "Parameters", "Activations"]
    return table(caption, columns, lines, words=(0,) if choices else (0, 1))


def _choices(networks: Sequence[str]) -> list[str]:
    """Return the keys in which networks differ, if their values are numbers or words; else none."""
    try:
        trees = [json.loads(name) for name in networks]
        differing = [key for key in trees[0] if len({json.dumps(tree[key]) for tree in trees}) > 1]
        plain = all(isinstance(tree[key], int | float | str) for tree in trees for key in differing)
    except (ValueError, KeyError, TypeError):
        return []
    return differing if plain else []


def progress(found: Search, *, max_macs: float | None) -> Html | str:
    """Set the methods side by side after as many images, generation by generation."""
    there = finals.methods(found)
    curves = {method: _curve(found, method, max_macs=max_macs) for method in there}
    generations = sorted(set.intersection(*(set(curve) for curve in curves.values())))
    if len(generations) < 2:
        return ""
    rows = []
    for generation in generations:
        states = [curves[method][generation] for method in there]
        values = [number(state[i]) for i in (1, 2) for state in states]
        rows.append([count(generation), count(round(states[0][0] or 0)), *values])
    mean = ", mean over the folds" if len(found.metrics["folds"]) > 1 else ""
    named = [f"{what}, {finals.METHODS[method]}" for what in (finals.SCORES[found.score], "Hypervolume") for method in there]  # fmt: skip
    caption = f"Best {finals.SCORES[found.score]} on search_val at the top rung, and hypervolume, so far{mean}"
    return table(caption, ["Generation", "Images seen", *named], rows)


def _curve(
    found: Search, method: str, *, max_macs: float | None
) -> dict[int, tuple[float | None, ...]]:
    """Return per generation: images seen so far, best score and hypervolume; means over the folds."""
    rows = [row for row in found.candidates if row["method"] == method]
    top = max(row["rung"] for row in found.candidates)
    folds = sorted({row["fold"] for row in rows})
    curve = {}
    for generation in sorted({int(row["generation"]) for row in rows}):
        states = []
        for fold in folds:
            known = [row for row in rows if row["fold"] == fold and row["generation"] <= generation]
            judged = [row for row in known if row["rung"] == top]
            seen = sum(row["samples"] for row in known)
            states.append((seen, *_state(judged, found.score, max_macs)))
        curve[generation] = tuple(phrases.mean(values) for values in zip(*states, strict=True))
    return curve


def _state(
    rows: Sequence[Row], score: str, max_macs: float | None
) -> tuple[float | None, float | None]:
    """Return the networks' best score, and what they cover, as the figure has it."""
    best = max((row[score] for row in rows), default=None)
    if not max_macs or not rows:
        return best, None
    score_N, macs_N = ([row[key] for row in rows] for key in (score, "macs"))
    return best, covered(score_N, macs_N, max_macs=max_macs)


def picks(found: Search) -> Html | str:
    """Describe the picked networks in words, fold by fold."""
    chosen = [row for row in found.candidates if row["picked"]]
    if not chosen:
        return ""
    rows = [
        [row["fold"], finals.METHODS.get(row["method"], row["method"]), scaled(row["macs"]),
         scaled(row["parameters"]), network(row["architecture"])]
        for row in sorted(chosen, key=lambda row: row["fold"])
    ]  # fmt: skip
    caption = "The picked networks. 2 × residual 24 (5×5): two residual blocks of 24 channels with 5×5 kernels"
    columns = ["Fold", "Method", "MACs", "Parameters", "Network"]
    several = len(found.metrics["folds"]) > 1
    whole = table(caption, columns, rows, words=(0, 1, 4))
    return details("Picks of each fold", whole) if several else whole


def network(words: str, picked: object = 0) -> Html:
    """Return a network in words, starred if it was picked."""
    return tag("span", phrases.starred(architecture(words), picked), class_="network")


def architecture(words: str) -> str:
    """Say an architecture in one line; what is none stands as it is."""
    try:
        tree = json.loads(words)
        return architectures.words(tree) if isinstance(tree, dict) else str(words)
    except ValueError:
        return str(words)


def _at_top(found: Search) -> list[Row]:
    top = max(row["rung"] for row in found.candidates)
    return [row for row in found.candidates if row["rung"] == top]


def _best_first(rows: list[Row], score: str) -> list[Row]:
    return sorted(rows, key=lambda row: (-row[score], row["macs"], row["architecture"]))


def _score(row: Row, score: str) -> str:
    """Return a network's score; one whose loss is no number has none to speak of."""
    return "diverged" if row["loss"] is None else number(row[score])
