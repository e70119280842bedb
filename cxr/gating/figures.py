"""The figure of a verdict: AUROC differences with their intervals, overall and by class, against margins.

Without a champion it shows the challenger's own AUROCs against their floors. Shapes: see `cxr.gating`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import MaxNLocator

from cxr import artifacts
from cxr.gating.rules import Passed, Rule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLES: dict[Passed, tuple[str, str]] = {
    "yes": (artifacts.PALETTE[2], "o"),
    "no": (artifacts.PALETTE[1], "X"),
    "undecided": (artifacts.PALETTE[5], "D"),
}
_WORDS: dict[Passed, str] = {"yes": "holds", "no": "is broken", "undecided": "undecided"}
_INK, _FAINT = "#222222", "#999999"


def difference(rules: Sequence[Rule], *, compared: bool, title: str) -> Figure:
    """Draw a line per AUROC rule: the point with its interval, and the bound that it must clear.

    `compared`: the rules that hold the challenger against the champion, else those with a floor.
    """
    kinds = ("better", "margin") if compared else ("floor",)
    shown = [rule for rule in rules if rule.kind in kinds and _is_auroc(rule)]
    figure, axis = artifacts.new_figure(6.6, 1.3 + 0.32 * len(shown))
    for place, rule in enumerate(shown):
        bound = [rule.bound, rule.bound]
        axis.plot(bound, [place - 0.34, place + 0.34], color=_INK, linewidth=2)
        if rule.value is None or rule.low is None or rule.high is None:
            axis.text(rule.bound, place, "  not judged", va="center", color=_FAINT, fontsize=8)
            continue
        color, marker = _STYLES[rule.passed]
        axis.plot([rule.low, rule.high], [place, place], color=color, linewidth=1.8)
        axis.plot(rule.value, place, color=color, marker=marker, linestyle="none", markersize=6)
    if compared:
        axis.axvline(0, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
    _legend(axis, shown)
    axis.set_yticks(range(len(shown)), [_literal(rule.rule) for rule in shown])
    axis.set(title=_literal(title), ylim=(len(shown) - 0.4, -0.6))
    axis.set_xlabel("AUROC, challenger − champion" if compared else "AUROC of the challenger")
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.grid(False, axis="y")
    return figure


def _is_auroc(rule: Rule) -> bool:
    quantity = rule.quantity
    return quantity is not None and quantity.measure == "auroc" and quantity.over != "source"


def _legend(axis: Axes, shown: Sequence[Rule]) -> None:
    """Say what marks and the black lines mean: of what is drawn alone."""
    for passed, (color, marker) in _STYLES.items():
        if any(rule.passed == passed and rule.value is not None for rule in shown):
            axis.plot([], [], color=color, marker=marker, label=_WORDS[passed])
    axis.plot([], [], color=_INK, linewidth=2, label="bound")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)


def _literal(name: str) -> str:
    """Return text that matplotlib draws as it stands: `$` would open a formula."""
    return name.replace("$", r"\$")
