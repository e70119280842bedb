"""The review as one HTML page: no other file, no network, no script; the look is that of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources

from cxr.report import phrases
from cxr.report.document import document
from cxr.report.elements import Html, details, figure, join, table, tag, text
from cxr.review import story, tables
from cxr.review.differences import METRICS, Difference
from cxr.review.pairs import Pair
from cxr.review.story import Review

_OPEN = "compare"  # the folder whose figures stand open
_MOST_OPEN = 12  # causes that stand open


def page(review: Review, drawn: Mapping[str, bytes]) -> str:
    """Return the whole page; `drawn` are our own figures as PNG: forest, curves; those that exist."""
    parts = [
        ("results", "Test metrics", _results(review, drawn)),
        ("stages", "Stages and causes", _stages(review)),
        ("parameters", "Parameters", _rows("Parameters that differ", "Parameter", review.parameters)),
        ("data", "Data", _rows("What reports and dvc.lock say of the data", "What", review.data)),
        ("figures", "Figures", _figures(review, drawn)),
    ]  # fmt: skip
    return document(
        parts,
        title=f"Review of {review.head.words} · cxrepro",
        header=_header(review),
        footer=tag("footer", tag("p", f"made by cxrepro · {phrases.RESEARCH_ONLY}")),
        own_style=resources.files("cxr.review").joinpath("style.css").read_text(encoding="utf-8"),
    )


def _header(review: Review) -> Html:
    """Say what is compared, what came of it, and what to beware of."""
    tested = review.tested
    loud = [one for one in tested if one.verdict in ("better", "worse")]
    better = sum(one.verdict == "better" for one in loud)
    total = len(review.stages) + review.changes["same"]
    seed = "chance" if review.seed_only else f"{better} better, {len(loud) - better} worse"
    facts = [
        ("More than noise", f"{len(loud)} of {len(tested)}", f"differences of test metrics: {seed}"),
        ("Stages", f"{len(review.stages)} of {total}", "changed"),
        ("Parameters", f"{len(review.parameters.changed)}", "changed"),
        ("Figures", f"{len(review.pairs.shown) + len(review.pairs.left_out)}", f"differ, {review.pairs.same} are the same"),
    ]  # fmt: skip
    cards = [
        tag("div", tag("dt", name), tag("dd", tag("strong", value), tag("span", words)))
        for name, value, words in facts
    ]
    ends = [
        Html(f"{tag('strong', word)} {tag('code', side.words)} {text(side.subject)}")
        for word, side in (("Before:", review.base), ("Now:", review.head))
    ]
    return tag(
        "header",
        tag("p", "cxrepro · review of a change", class_="kicker"),
        tag("h1", review.head.subject if review.head.name else review.head.words),
        tag("p", story.headline(review), class_="lead"),
        *(tag("p", end, class_="side") for end in ends),
        *(tag("p", words, class_="notice beware", role="note") for words in story.notices(review)),
        tag("dl", *cards, class_="facts"),
    )


def _results(review: Review, drawn: Mapping[str, bytes]) -> Html:
    """Return the table of differences, their figure, and what of each model is not put to the test."""
    if not review.found:
        return tag("p", "Neither side has evaluated a model.")
    rows = [
        [one.model, METRICS[one.metric], _verdict(one), story.spread(one),
         tables.with_interval(one.base), tables.with_interval(one.head)]
        for one in review.found
        if one.model not in review.alike
    ]  # fmt: skip
    columns = ["Model", "Metric", "More than noise?", "Difference", "Before", "Now"]
    pieces: list[object] = []
    if rows:
        caption = "Metrics on the test images, with intervals over patients"
        pieces.append(table(caption, columns, rows, words=(0, 1, 2)))
    if review.alike:
        pieces.append(tag("p", f"The same on both sides: {', '.join(review.alike)}."))
    if review.tested:
        pieces.append(phrases.note(story.reading(review)))
    if "forest" in drawn:
        alt = "Each model's difference in AUROC and accuracy with its interval; the numbers stand in the table above."
        caption = "Differences, now minus before, with their intervals. Right of the dashed line: better now."
        pieces.append(figure(drawn["forest"], alt=alt, caption=caption))
    both = [name for name in review.head.models if name in review.base.models]
    for name in both:
        found = tables.figures_of(review.base.models[name], review.head.models[name])
        if found.changed:
            inner = table(f"{name}: not put to the test", ["What", "Before", "Now"], found.changed)
            pieces.append(details(f"{name}: costs and further metrics", inner))
    return join(pieces)


def _verdict(one: Difference) -> Html:
    mark = {"better": "good", "worse": "grave"}.get(one.verdict, "mild")
    return tag("span", story.verdict(one), class_=f"state {mark}")


def _stages(review: Review) -> Html:
    """Return what was changed, each with the stages of which it is a cause, and then each stage."""
    if not review.stages:
        return tag("p", f"All {review.changes['same']} stages are as they were.")
    causes = story.causes(review)
    listed = [
        _causes(f"{what}, and the stages that it changed directly", chosen)
        for what, chosen in (
            ("What changed besides code", [cause for cause in causes if cause[0] != "code"]),
            ("Code that changed", [cause for cause in causes if cause[0] == "code"]),
        )
        if chosen
    ]
    rows = [
        [stage["stage"], _because(stage), ", ".join(stage["after"]) or tables.NOTHING, _wrote(stage)]
        for stage in review.stages
    ]  # fmt: skip
    return join(
        [
            *listed,
            tag("div", table("Each stage that changed: causes of its own, and stages with causes of their own before it",
                ["Stage", "Its own causes", "Follows", "Wrote otherwise"], rows, words=(0, 1, 2, 3)), class_="each"),
            phrases.note(story.unchanged(review)),
        ]
    )  # fmt: skip


def _causes(caption: str, causes: Sequence[tuple[str, str, list[str]]]) -> Html:
    """Return a table of causes; a long one opens on demand."""
    rows = [[words, story.KINDS[kind], str(len(stages)), ", ".join(stages)] for kind, words, stages in causes]  # fmt: skip
    shown = table(caption, ["Cause", "Kind", "Stages", "Which"], rows, words=(0, 1, 3))
    return details(f"{caption} ({len(rows)})", shown) if len(rows) > _MOST_OPEN else shown


def _because(stage: Mapping[str, list[Mapping[str, str]]]) -> Html:
    """List a stage's own causes; those beyond the third open on demand."""
    items = [tag("li", f"{story.KINDS[x['kind']]}: {x['words']}") for x in stage["direct"]]
    if not items:
        return text("none: it follows")
    first = tag("ul", *items[:3], class_="causes")
    if len(items) <= 3:
        return first
    return Html(
        f"{first}{details(f'{len(items) - 3} more', tag('ul', *items[3:], class_='causes'))}"
    )


def _wrote(stage: Mapping[str, object]) -> Html:
    if stage["kind"] != "changed":
        return tag("strong", stage["kind"])
    paths = stage["outputs"]
    assert isinstance(paths, list)
    return text(", ".join(paths) or "the same bytes")


def _rows(caption: str, what: str, found: tables.Rows) -> Html:
    if not found.changed:
        return tag("p", f"Nothing changed ({found.same} compared).")
    rows = [[name, _value(old), _value(new)] for name, old, new in found.changed]
    shown = table(caption, [what, "Before", "Now"], rows, words=(0, 1, 2))
    return join([shown, phrases.note(f"{found.same} more are the same.")])


def _value(words: str) -> Html:
    return text(words) if words == tables.NOTHING else tag("code", words)


def _figures(review: Review, drawn: Mapping[str, bytes]) -> Html:
    """Return the learning curves of both sides in one, and the figures that differ side by side."""
    pieces: list[object] = []
    if "curves" in drawn:
        alt = "Loss and AUROC on val over the epochs of training, before (dashed) and now."
        caption = "Learning curves of runs that differ, a line per fold; their numbers stand in history.csv of each side's reports."
        pieces.append(figure(drawn["curves"], alt=alt, caption=caption))
    folders = list(dict.fromkeys(pair.folder for pair in review.pairs.shown))
    for folder in folders:
        pairs = [pair for pair in review.pairs.shown if pair.folder == folder]
        inner = join(tag("div", *_pair(pair), class_="pair") for pair in pairs)
        part = details(f"{folder}: {', '.join(pair.name for pair in pairs)}", inner)
        if folder == _OPEN:
            part = Html(part.replace("<details>", "<details open>", 1))
        pieces.append(part)
    if review.pairs.left_out:
        listed = tag("ul", *(tag("li", name) for name in review.pairs.left_out))
        pieces.append(
            details("Not shown, since the page would grow too large, or no picture", listed)
        )
    pieces.append(phrases.note(f"{review.pairs.same} figures are the same byte for byte."))
    return join(pieces)


def _pair(pair: Pair) -> list[Html]:
    """Return a figure before and now; a word where a side lacks it."""
    found = []
    for side, content in (("before", pair.before), ("now", pair.now)):
        name = f"{pair.folder} {pair.name}, {side}"
        if content is None:
            found.append(tag("p", f"{name}: there is none.", class_="note"))
        else:
            alt = f"{name}; the report of that side describes it."
            found.append(figure(content, alt=alt, caption=name))
    return found
