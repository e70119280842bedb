"""sweep_table: the table and the figure of a sweep, the best first, the same bytes however often it was interrupted.

A line for each model of each combination: what was set, the metrics with their intervals, what the
network costs, the commit; then what failed, with the reason. These are numbers of the test images: who
chooses by them has chosen on test, and says so.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from flows import summaries
from flows.sweep_file import Combination

COST = ("parameters", "macs", "weights_bytes")
_ROW_PX, _LABEL_PX, _PLOT_PX, _TOP_PX = 22, 460, 420, 56
_TICKS = 5
_MARK = "#1f5fa8"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One model of a combination, or a combination that failed."""

    combination: Combination
    model: str = ""
    metrics: Mapping[str, Any]
    """what `evaluate` says of the model"""
    commit: str = ""
    fault: str = ""

    def words(self) -> str:
        """Say what it is, for people."""
        labels = ", ".join(f"{key} {value}" for key, value in self.combination.labels.items())
        return f"{self.model}: {labels}" if labels else self.model


def ordered(lines: Sequence[Line], by: str) -> list[Line]:
    """Return the lines, the highest value of a metric first, those without one last."""

    def place(line: Line) -> tuple[bool, float, str, str]:
        value = interval(line, by)
        return value is None, -value[0] if value else 0.0, line.combination.name, line.model

    return sorted(lines, key=place)


def interval(line: Line, metric: str) -> tuple[float, float, float] | None:
    """Return value, low and high end of a metric; None if it is not known."""
    found = line.metrics.get(metric)
    if not isinstance(found, Mapping):
        return None
    ends = [found.get(key) for key in ("value", "low", "high")]
    return (ends[0], ends[1], ends[2]) if all(isinstance(x, int | float) for x in ends) else None  # type: ignore[return-value]


def metrics(lines: Sequence[Line], by: str) -> list[str]:
    """Return the names of the metrics that have an interval, the one that orders the table first."""
    found = sorted({name for line in lines for name in line.metrics if interval(line, name)})
    return sorted(found, key=lambda name: name != by)


def text(lines: Sequence[Line], by: str) -> str:
    """Return the table as CSV; `lines` come in order."""
    labels = list(dict.fromkeys(key for line in lines for key in line.combination.labels))
    names = metrics(lines, by)
    costs = [key for key in COST if any(key in line.metrics for line in lines)]
    head = ["combination", *labels, "model"]
    head += [column for name in names for column in (name, f"{name}_low", f"{name}_high")]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*head, *costs, "commit", "fault"])
    for line in lines:
        row = [line.combination.name, *(line.combination.labels.get(key, "") for key in labels)]
        row.append(line.model)
        for name in names:
            row += map(str, interval(line, name) or ("", "", ""))
        row += [str(line.metrics.get(key, "")) for key in costs]
        writer.writerow([*row, line.commit[:12], line.fault])
    return buffer.getvalue()


def markdown(lines: Sequence[Line], *, name: str, about: str, by: str) -> str:
    """Return the table for people."""
    failed = sum(bool(line.fault) for line in lines)
    combinations = len({line.combination.name for line in lines})
    head = [f"# Sweep {name}", about.strip()] if about.strip() else [f"# Sweep {name}"]
    head.append(
        f"{combinations} combinations{f', {failed} of them failed' if failed else ''}; the highest {by} first, "
        "with the ends of its interval. The numbers are those of the test images: the best line is best on "
        "them, and a result only on images that this table did not see."
    )
    return "\n\n".join([*head, summaries.findings(text(lines, by))]) + "\n"


def figure(lines: Sequence[Line], *, name: str, by: str) -> str:
    """Return an SVG picture: each line's value of a metric with its interval, in the table's order."""
    shown = [(line, ends) for line in lines if (ends := interval(line, by))]
    low = min((ends[1] for _, ends in shown), default=0.0)
    high = max((ends[2] for _, ends in shown), default=1.0)
    span = high - low or 1.0
    height = _TOP_PX + _ROW_PX * len(shown) + 12

    def x(value: float) -> str:
        return f"{_LABEL_PX + _PLOT_PX * (value - low) / span:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL_PX + _PLOT_PX + 40}" height="{height}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(f'Sweep {name}: {by} of each model, with its interval')}</title>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="20" font-weight="bold">{escape(f"Sweep {name}: {by}")}</text>',
    ]
    for number in range(_TICKS):
        value = low + span * number / (_TICKS - 1)
        parts.append(f'<path d="M{x(value)} {_TOP_PX - 8}V{height - 8}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{x(value)}" y="{_TOP_PX - 14}" text-anchor="middle">{value:.3g}</text>'
        )
    for place, (line, (value, start, end)) in enumerate(shown):
        y = _TOP_PX + _ROW_PX * place + _ROW_PX // 2
        label = escape(f"{line.combination.name}  {_short(line.words())}")
        parts.append(f'<text x="12" y="{y + 4}">{label}</text>')
        parts.append(f'<path d="M{x(start)} {y}H{x(end)}" stroke="{_MARK}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x(value)}" cy="{y}" r="4" fill="{_MARK}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _short(words: str, length: int = 52) -> str:
    return words if len(words) <= length else f"{words[: length - 1]}…"
