"""What answers rest on: maps over images, whether they are of what was learned, and the pointing game.

Images stand here only where stages/explain.py put them into the reports: those that code made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cxr.report import phrases
from cxr.report.elements import Html, count, figures, join, number, table, tag


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One model explained, see stages/explain.py."""

    name: str
    """of the model"""
    metrics: Mapping[str, Any]
    """reports/explain/<model>/metrics.json"""
    sanity: list[Mapping[str, Any]]
    """rows of sanity.csv"""
    figures: Mapping[str, bytes]
    """PNGs by name: sheet, sanity; those that exist"""


def explanations(found: Sequence[Explanation]) -> Html | str:
    """Return one article per model; nothing without any."""
    if not found:
        return ""
    words = (
        "A map says what each place of an image adds to a label's log odds (HiResCAM), which is what the "
        "network's answer rests on, and not where a disease is. Nothing was chosen by these figures."
    )
    return join([tag("p", words), *map(_article, found)])


def _article(one: Explanation) -> Html:
    pieces = [
        tag("h3", one.name),
        tag("p", _maps(one.metrics)),
        tag("p", _sanity(one.metrics["sanity"])),
        _game(one.metrics),
        tag("div", join(_figures(one)), class_="stack"),
    ]
    return tag("article", *(piece for piece in pieces if piece))


def _maps(found: Mapping[str, Any]) -> str:
    places = " or ".join(found["map_places"])
    folds = f", a network for each of {found['folds']} folds" if found["folds"] > 1 else ""
    return f"Its maps have {places} places{folds}; what they say of smaller ones is interpolation."


def _sanity(found: Mapping[str, Any]) -> str:
    """Say whether maps change with the weights, and how much of them is of the image."""
    everything, output = (found[key]["rank_correlation"] for key in ("all_layers", "output_layer"))
    verdict = (
        "The maps are of what was learned" if found["changed"] else
        "The maps do not show what was learned, and nothing should be read from them"
    )  # fmt: skip
    return (
        f"{verdict}: with new weights in all layers their rank correlation with the trained network's is "
        f"{number(everything, 2)} ({number(output, 2)} with new weights in the output layer alone; means of "
        f"{count(found['images'])} val images and {found['draws']} draws). Maps of one label on different "
        f"images correlate by {number(found['another_image'], 2)}: so much of a map is the same whatever the image."
    )


def _game(found: Mapping[str, Any]) -> Html:
    """Return the pointing game as a table, or say that there was none."""
    game = found["pointing"]
    if game is None:
        return tag(
            "p", f"No image of {found['part']} has a known place of a finding: no pointing game."
        )
    rows: list[list[object]] = [
        [phrases.spaced(name), *_row(own)] for name, own in sorted(game["per_label"].items())
    ]
    rows.append([tag("em", "all"), *(tag("em", cell) for cell in _row(game))])
    macro = [number(game["macro"][key]) for key in ("accuracy", "chance", "centre")]
    rows.append([tag("em", "mean of labels"), tag("em", "–"), *(tag("em", cell) for cell in macro)])
    caption = (
        f"Pointing game on {found['part']}: how often the strongest place of a label's map lies in the "
        "label's box [Wilson's 95 % interval], beside a point drawn at random and the image's middle"
    )
    return table(caption, ["Finding", "Images", "Hit", "Random point", "Middle"], rows)


def _row(own: Mapping[str, Any]) -> list[object]:
    blind = [number(own[key]) for key in ("chance", "centre")]
    return [count(own["plays"]), phrases.interval(own["accuracy"]), *blind]


def _figures(one: Explanation) -> list[Html]:
    known = [
        ("sheet", f"Images of val and the maps of {one.name} over them.",
         "Images of val, each beside itself with the map of the label that the network says (title: what is "
         "there | what it says, with its probability). Orange speaks for it, blue against; dashed: "
         "where the finding was drawn.", ""),
        ("sanity", f"How alike the maps of {one.name} stay while its layers are drawn anew.",
         "Cascading randomisation: layers lose what they learned, from the output to the input.",
         _layers(one.sanity)),
    ]  # fmt: skip
    return figures(one.figures, known)


def _layers(rows: Sequence[Mapping[str, Any]]) -> Html | str:
    """Return the cascade as a table: means of folds and draws under the names of the first fold's layers."""
    steps: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        steps.setdefault(int(row["step"]), []).append(row)
    body = [
        [own[0]["layer"], number(own[0]["parameters_share"]),
         *(phrases.over_folds([row[key] for row in own]) for key in ("rank_correlation", "ssim"))]
        for _, own in sorted(steps.items())
    ]  # fmt: skip
    columns = ["Drawn anew down to", "Share of parameters", "Rank correlation", "SSIM"]
    caption = "Likeness to the trained network's maps: mean and range over draws and folds"
    return table(caption, columns, body) if body else ""
