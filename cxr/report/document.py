"""One HTML document out of its parts: no other file, no network, no script; a link to each section."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from cxr.report.elements import Html, join, tag

# belt and braces: even a slip of ours could load nothing and run nothing
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

Part = tuple[str, str, Html | str]
"""A section's id, its title and what stands in it."""


def document(
    parts: Sequence[Part], *, title: str, header: Html, footer: Html, own_style: str = ""
) -> str:
    """Return the page; parts without content are left out, the first is where readers can skip to.

    `own_style` comes behind the look that all our pages share.
    """
    shown = [part for part in parts if part[2]]
    links = [tag("li", tag("a", words, href=f"#{name}")) for name, words, _ in shown]
    sections = [
        tag("section", tag("h2", words, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title")
        for name, words, content in shown
    ]  # fmt: skip
    first, words, _ = shown[0]
    body = [
        tag("a", f"Skip to the {words.lower()}", class_="skip", href=f"#{first}"),
        header,
        tag("nav", tag("ul", *links), aria_label="Sections"),
        tag("main", join(sections)),
        footer,
    ]
    whole = tag("html", _head(title, own_style), "\n", tag("body", join(body)), lang="en")
    return f"<!doctype html>\n{whole}\n"


def _head(title: str, own_style: str) -> Html:
    style = resources.files("cxr.report").joinpath("style.css").read_text(encoding="utf-8")
    return tag("head", join([
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        Html('<meta name="referrer" content="no-referrer">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", title),
        tag("style", Html(style + own_style)),
    ]))  # fmt: skip
