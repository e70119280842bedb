"""What both pages say: the one line, the warnings, the causes; words without a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr import artifacts
from cxr.report import phrases
from cxr.review import differences, evidence, pairs, tables
from cxr.review.differences import METRICS, Difference
from cxr.review.evidence import Side

KINDS = {
    "parameter": "parameter",
    "data": "data",
    "code": "code",
    "versions": "versions",
    "pipeline": "pipeline",
    "unexplained": "no cause found",
}
_NAMED = 3  # of a list that a sentence names before it counts the rest
HOW = {
    "paired": "same images, paired resamples of patients",
    "apart": "other images, each side resampled by itself",
    "reported": "from both reported intervals",
    "alone": "",
}


@dataclass(frozen=True, kw_only=True)
class Review:
    """All that the pages show."""

    base: Side
    head: Side
    changes: Mapping[str, Any]
    """changes.json, see flows/review.py"""
    found: Sequence[Difference]
    parameters: tables.Rows
    data: tables.Rows
    pairs: pairs.Pairs
    seed_only: bool

    @property
    def stages(self) -> list[Mapping[str, Any]]:
        """The stages that changed, each with its causes in the order of KINDS."""
        order = list(KINDS)
        return [
            {**stage, "direct": sorted(stage["direct"], key=lambda x: order.index(x["kind"]))}
            for stage in self.changes["stages"]
        ]

    @property
    def alike(self) -> list[str]:
        """The models whose metrics are the same on both sides in every resample."""
        return [
            name
            for name in self.head.models
            if {one.verdict for one in self.found if one.model == name} == {"same"}
        ]

    @property
    def tested(self) -> list[Difference]:
        """The differences that were put to the test: not those that are none."""
        return [one for one in self.found if one.adjusted is not None]


def gather(folder: Path) -> Review:
    """Read what `flows.review` laid into `folder` and compare it; raise ValueError for a damaged file."""
    changes = artifacts.read_json(folder / "changes.json")
    base, head = (evidence.read(folder / side, changes[side]) for side in ("base", "head"))
    parameters = tables.parameters(base, head)
    seed_only = only_the_seed(changes["stages"], parameters.changed)
    return Review(
        base=base, head=head, changes=changes, parameters=parameters, seed_only=seed_only,
        found=differences.compare(base.models, head.models, seed_only=seed_only),
        data=tables.data(base, head, changes["data"]),
        pairs=pairs.figures(folder / "base/reports", folder / "head/reports"),
    )  # fmt: skip


def only_the_seed(stages: Sequence[Mapping[str, Any]], parameters: Sequence[tables.Row]) -> bool:
    """Tell whether the seed is the one parameter that changed, and the one cause of every stage."""
    causes = [cause for stage in stages for cause in stage["direct"]]
    named = {row[0] for row in parameters}
    return bool(causes) and named == {"seed"} and all(
        (cause["kind"], cause["what"]) == ("parameter", "seed") for cause in causes
    )  # fmt: skip


def headline(review: Review) -> str:
    """Say in one line what came of the change."""
    if not review.stages:
        return "No stage changed: the results are those from before."
    tested = review.tested
    if review.seed_only:
        return (
            "Only the seed changed, so every difference of the test metrics is chance. "
            f"It shows how far chance goes in this study: {_furthest(tested)}."
        )
    if not tested:
        same = "the test metrics of every model on both sides are the same"
        none = "no model has test metrics on both sides"
        return f"{_stages(review)}; {same if review.alike else none}."
    loud = [one for one in tested if one.verdict in ("better", "worse")]
    if not loud:
        return f"{_stages(review)}; none of {len(tested)} differences of test metrics is more than noise."
    named = [f"{METRICS[one.metric]} of {one.model} {one.verdict} ({spread(one)})" for one in loud]
    return (
        f"{_stages(review)}; {len(loud)} of {len(tested)} differences of test metrics "
        f"{'is' if len(loud) == 1 else 'are'} more than noise: {some(named, 'more')}."
    )


def notices(review: Review) -> list[str]:
    """Return what a reviewer must know before believing a number, each a sentence."""
    found = [f"{_side(side)}: {words}." for side in ("base", "head") for words in review.changes["stale"][side]]  # fmt: skip
    odd = [stage["stage"] for stage in review.stages if any(cause["kind"] == "unexplained" for cause in stage["direct"])]  # fmt: skip
    if odd:
        found.append(f"No cause found for {some(odd, 'more')}: `make verify` tells whether the results come again.")  # fmt: skip
    if apart := review.changes["apart"]:
        found.append(
            f"The base has {apart} commit{'s' * (apart != 1)} that the change does not have: what they did looks "
            "undone here. `git merge-base` names where both parted."
        )
    if review.head.uncommitted:
        found.append("The working tree holds changes that are not committed.")
    if review.seed_only:
        return found + _seed_words(review)
    for how, words in (
        ("apart", "The test images are not the same on both sides ({}): a difference is also that of the images."),
        ("reported", "No predictions to resample ({}): differences rest on the reported intervals, taken for "
         "independent and normal. Where both sides scored the same images, that hides small differences."),
    ):  # fmt: skip
        names = list(dict.fromkeys(one.model for one in review.tested if one.how == how))
        if names:
            every = len(names) == len({one.model for one in review.tested})
            found.append(words.format("all models" if every else some(names, "more")))
    found += [f"{one.model}: {one.note}." for one in review.found if one.note and one.metric == "auroc"]  # fmt: skip
    return found


def reading(review: Review) -> str:
    """Say how a verdict came about, and what it does not know."""
    tested = review.tested
    if not tested:
        return ""
    ways = "; ".join(dict.fromkeys(HOW[one.how] for one in tested))
    if review.seed_only:
        return (
            f"Brackets: {differences.CONFIDENCE:.0%} intervals over patients ({ways}); they know nothing of "
            "the spread between trainings."
        )
    return (
        f"Brackets: {differences.CONFIDENCE:.0%} intervals over patients ({ways}). “More than noise”: less "
        f"than {differences.ALPHA:.0%} by chance, with Holm's correction for the {len(tested)} differences "
        "compared here. “No more than noise” does not say that there is none: the interval says what "
        "it may be. Each model was trained once on each side; how far another seed alone would move it "
        "is not in the interval: a review of two commits that differ in nothing but the seed shows that."
    )


def verdict(one: Difference) -> str:
    """Return a difference's verdict in words."""
    from cxr.review.figures import WORDS

    if one.verdict == "noise" and one.alone_significant:
        return f"{WORDS['noise']}; by itself it would count"
    if one.verdict == "alone":
        if one.base and one.head:
            return "no interval"
        return "only now" if one.head else "only before"
    return WORDS[one.verdict]


def spread(one: Difference) -> str:
    """Return a difference with its interval."""
    if one.value is None or one.low is None or one.high is None:
        return tables.NOTHING
    return f"{phrases.signed(one.value)} [{phrases.signed(one.low)}, {phrases.signed(one.high)}]"


def causes(review: Review) -> list[tuple[str, str, list[str]]]:
    """Return (kind, words, stages) of each cause, the kinds in the order of KINDS."""
    stages: dict[tuple[str, str], list[str]] = {}
    for stage in review.stages:
        for cause in stage["direct"]:
            stages.setdefault((cause["kind"], cause["words"]), []).append(stage["stage"])
    order = list(KINDS)
    return [
        (kind, words, names)
        for (kind, words), names in sorted(stages.items(), key=lambda item: order.index(item[0][0]))
    ]


def unchanged(review: Review) -> str:
    """Say how many stages are as they were."""
    same = review.changes["same"]
    return (
        f"{same} more stage{'s are' if same != 1 else ' is'} as before."
        if same
        else "No other stage is left."
    )


def some(names: Sequence[str], rest: str, most: int = _NAMED) -> str:
    """Name the first and count the rest."""
    more = f" and {len(names) - most} {rest}" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _stages(review: Review) -> str:
    total = len(review.stages) + review.changes["same"]
    moved = sum(bool(stage["outputs"]) or stage["kind"] != "changed" for stage in review.stages)
    return f"{len(review.stages)} of {total} stages changed, {moved} of them in what they write"


def _seed_words(review: Review) -> list[str]:
    """Say what a change of the seed shows, and that the patients' intervals alone would have been misled."""
    tested = review.tested
    loud = [one for one in tested if one.adjusted is not None and one.adjusted < differences.ALPHA]
    made = "phantom" in ((review.head.params.get("ingest") or {}).get("datasets") or [])
    images = ", and here the images themselves, which are made by it" if made else ""
    found = [
        f"The seed decides how networks begin and in which order they see images{images}: both sides are "
        "equally good tries of one study. A change judged by one training on each side that moves a metric by "
        "less than this has shown nothing"
        + (", unless both sides scored the same images." if made else ".")
    ]
    if loud:
        found.append(
            f"By patients alone, {len(loud)} of {len(tested)} differences would have passed for more than "
            "noise: in this study trainings differ more than patients, so judge a change by several seeds."
        )
    return found


def _furthest(tested: Sequence[Difference]) -> str:
    """Say the largest difference of each metric."""
    parts = []
    for metric, words in METRICS.items():
        sizes = [abs(one.value) for one in tested if one.metric == metric and one.value is not None]
        if sizes:
            parts.append(f"{words} up to {max(sizes):.3f}")
    return ", ".join(parts) or "no model has test metrics on both sides"


def _side(side: str) -> str:
    return {"base": "Before", "head": "Now"}[side]
