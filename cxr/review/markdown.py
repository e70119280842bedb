"""The review as Markdown for a pull request: short, GitHub-flavoured, without pictures.

Whatever comes out of the branch under review stands in code spans, where it is no mark-up, no link and
mentions nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cxr.review import story, tables
from cxr.review.differences import METRICS
from cxr.review.story import Review

_MOST_ROWS = 12  # of a table that stands open; a longer one is folded


def page(review: Review) -> str:
    """Return the whole page."""
    parts = [
        f"## Review: {code(review.base.words)} → {code(review.head.words)}",
        f"**{plain(story.headline(review))}**",
        *(f"> {plain(words)}" for words in story.notices(review)),
        *_results(review),
        *_stages(review),
        *_rows("Parameters", "parameter", review.parameters),
        *_rows("Data", "what", review.data),
        _figures(review),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def code(words: str) -> str:
    """Return text as a code span that it can't leave, in a table or outside."""
    return "`" + " ".join(words.replace("`", "'").replace("|", "\\|").split()) + "`"


def plain(words: str) -> str:
    """Return a sentence of ours that holds names of others: no mark-up, no mention; `code` stays code."""
    pieces = words.split("`")
    for i in range(0, len(pieces), 2):
        for sign in ("\\", "*", "_", "<", "[", "|", "#"):
            pieces[i] = pieces[i].replace(sign, f"\\{sign}")
        pieces[i] = pieces[i].replace("@", "@\u2060")
    return "`".join(pieces)


def _results(review: Review) -> list[str]:
    """Return test metrics of both sides with a verdict, and what became cheaper or dearer."""
    if not review.found:
        return []
    rows = [
        [
            code(one.model), METRICS[one.metric], tables.with_interval(one.base),
            tables.with_interval(one.head), story.spread(one), _bold(story.verdict(one), one.verdict),
        ]
        for one in review.found
        if one.model not in review.alike
    ]  # fmt: skip
    columns = ["model", "metric", "before", "now", "difference", "more than noise?"]
    costs = [[code(what), old, new] for what, old, new in tables.costs(review.base.models, review.head.models)]  # fmt: skip
    return [
        "### Test metrics",
        _folded(f"{len(rows)} rows", table(columns, rows), len(rows)) if rows else "",
        f"The same on both sides: {', '.join(map(code, review.alike))}." if review.alike else "",
        plain(story.reading(review)),
        table(["cost", "before", "now"], costs) if costs else "",
    ]


def _bold(words: str, verdict: str) -> str:
    return f"**{words}**" if verdict in ("better", "worse") else words


def _stages(review: Review) -> list[str]:
    """Return why each stage changed."""
    if not review.stages:
        return []
    causes = [
        [f"{story.KINDS[kind]} {code(words)}", story.some([code(name) for name in names], "more")]
        for kind, words, names in story.causes(review)
    ]
    rows = [[code(stage["stage"]), _because(stage), _wrote(stage)] for stage in review.stages]
    return [
        "### What was changed, and which stages that changed",
        _folded(f"{len(causes)} causes", table(["cause", "stages it changed directly"], causes), len(causes)),
        _folded(f"{len(rows)} stages, each with its causes", table(["stage", "because of", "wrote otherwise"], rows), len(rows)),
        story.unchanged(review),
    ]  # fmt: skip


def _because(stage: Mapping[str, Any]) -> str:
    """Name a stage's own causes, and the stages with causes of their own that it follows."""
    words = [f"{story.KINDS[x['kind']]} {code(x['words'])}" for x in stage["direct"]]
    parts = [story.some(words, "more")] if words else []
    if stage["after"]:
        parts.append(f"follows {story.some([code(name) for name in stage['after']], 'more')}")
    return "; ".join(parts)


def _wrote(stage: Mapping[str, Any]) -> str:
    if stage["kind"] != "changed":
        return f"**{stage['kind']}**"
    return story.some([code(path) for path in stage["outputs"]], "more") or "the same bytes"


def _rows(title: str, what: str, found: tables.Rows) -> list[str]:
    """Return a section of rows that differ; a line where none does."""
    if not found.changed:
        return [f"### {title}", f"Nothing changed ({found.same} compared)." if found.same else "Nothing to compare."]  # fmt: skip
    rows = [[code(name), code(old), code(new)] for name, old, new in found.changed]
    return [
        f"### {title}",
        _folded(f"{len(rows)} rows", table([what, "before", "now"], rows), len(rows)),
        f"{found.same} more are the same.",
    ]


def _figures(review: Review) -> str:
    shown, same = len(review.pairs.shown), review.pairs.same
    words = f"Figures: {shown} differ, {same} are the same byte for byte"
    return f"{words}; side by side in `review.html`." if shown else f"{words}."


def _folded(summary: str, content: str, rows: int) -> str:
    if rows <= _MOST_ROWS:
        return content
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown already."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
