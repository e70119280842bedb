"""HTML pieces that can't be broken by their contents: all text is escaped unless it is already Html.

A figure is a PNG inside the page (RFC 2397), so that the page needs no other file.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence

from PIL import Image

_COLOURS = 128  # of an embedded figure: enough for flat colours and their smoothed edges


class Html(str):
    """Text that is HTML already; everything else is escaped."""

    __slots__ = ()


def text(content: object) -> Html:
    """Escape `content` unless it is Html."""
    return content if isinstance(content, Html) else Html(html.escape(str(content)))


def join(parts: Iterable[object]) -> Html:
    """Put pieces behind one another, a line each."""
    return Html("\n".join(text(part) for part in parts))


def tag(name: str, *contents: object, **attributes: str | None) -> Html:
    """Return an element; `class_` and `for_` lose their underscore, None leaves an attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{''.join(text(content) for content in contents)}</{name}>")


def table(
    caption: object,
    columns: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    words: Sequence[int] = (0,),
) -> Html:
    """Return a table that scrolls by itself when narrow; `words` are the columns that hold no numbers."""

    def style(i: int) -> str | None:
        return None if i in words else "number"

    head = (tag("th", column, scope="col", class_=style(i)) for i, column in enumerate(columns))
    body = [
        tag("tr", tag("th", first, scope="row"),
            *(tag("td", cell, class_=style(i)) for i, cell in enumerate(rest, start=1)))
        for first, *rest in rows
    ]  # fmt: skip
    whole = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", tag("tr", *head)),
        tag("tbody", join(body)),
    )
    # a box that scrolls must be reachable by keyboard, and then needs a name
    return tag(
        "div", whole, class_="scroll", tabindex="0", role="region", aria_label=_plain(caption)
    )


def figure(png: bytes, *, alt: str, caption: object, data: object = "") -> Html:
    """Return a figure on a white card with its caption and, where given, the table behind it."""
    small = compact(png)
    width, height = Image.open(io.BytesIO(small)).size
    source = "data:image/png;base64," + base64.b64encode(small).decode()
    image = Html(f'<img src="{source}" alt="{html.escape(alt)}" width="{width}" height="{height}">')
    behind = details("Data of this figure", data) if data else ""
    shape = "wide" if width > 1.75 * height else "tall" if height > 1.25 * width else None
    # wide ones scroll on a phone; what scrolls must be reachable by keyboard, and then needs a name
    reach = {"tabindex": "0", "role": "region", "aria_label": alt} if shape == "wide" else {}
    card = tag("div", image, class_="card", **reach)
    return tag("figure", card, tag("figcaption", caption), behind, class_=shape)


def figures(
    pngs: Mapping[str, bytes], known: Iterable[tuple[str, str, object, object]]
) -> list[Html]:
    """Return the figures that exist, in the order of `known`: key, alt text, caption, table behind it."""
    return [
        figure(pngs[key], alt=alt, caption=caption, data=data)
        for key, alt, caption, data in known
        if key in pngs
    ]


def details(summary: object, *contents: object) -> Html:
    """Return a part that opens on demand."""
    return tag("details", tag("summary", summary), *contents)


def compact(png: bytes) -> bytes:
    """Return the same picture with at most 128 colours if that is smaller (a plot's size falls to a third).

    Grey pictures stay as they are: few colours would show as steps.
    """
    image = Image.open(io.BytesIO(png))
    if image.mode in ("1", "L", "P"):
        return png
    buffer = io.BytesIO()
    reduced = image.convert("RGB").quantize(
        _COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
    )
    reduced.save(buffer, format="png", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def number(value: float | None, decimals: int = 3) -> str:
    """Return a number with a fixed count of decimals; a dash for an unknown one."""
    return "–" if value is None else f"{value:.{decimals}f}"


def count(value: int | None) -> str:
    """Return a whole number with commas between thousands; a dash for an unknown one."""
    return "–" if value is None else f"{value:,}"


def scaled(value: float) -> str:
    """Return a large number in thousands, millions or billions, with three digits."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g}\u202f{unit}"
    return f"{value:.3g}"


def _plain(content: object) -> str:
    """Return a caption's words for an attribute (captions hold no elements of their own)."""
    return html.unescape(str(content))
