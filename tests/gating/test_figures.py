"""The figure: the rules that it promises, the same bytes twice, no formula from a class's name."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cxr import artifacts
from cxr.gating import figures
from tests.gating import cases, test_rules


@pytest.mark.parametrize("compared", [True, False])
def test_overall_and_every_class_are_drawn_the_same_twice(tmp_path: Path, compared: bool) -> None:
    accepted, challenger, champion = test_rules.case()
    accepted = dataclasses.replace(accepted, names=("a$b$", "rare"))
    asked = cases.limits(**test_rules.EVERYTHING)
    judged = cases.judge(accepted, challenger, champion if compared else None, asked=asked)
    written = []
    for name in ("one.png", "two.png"):
        figure = figures.difference(judged, compared=compared, title="net against v$3$")
        artifacts.write_figure(tmp_path / name, figure, dpi=60)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    shown = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    kind = "margin" if compared else "floor"
    assert shown == [
        *(["macro AUROC: better"] if compared else []), f"macro AUROC: {kind}",
        rf"AUROC, class a\$b\$: {kind}", f"AUROC, class rare: {kind}",
    ]  # fmt: skip


def test_what_was_not_judged_is_said_in_its_place() -> None:
    accepted, challenger, champion = test_rules.case()
    asked = cases.limits(**test_rules.EVERYTHING | {"min_patients": 70})
    judged = cases.judge(accepted, challenger, champion, asked=asked)
    figure = figures.difference(judged, compared=True, title="none")
    texts = [text.get_text().strip() for text in figure.axes[0].texts]
    assert texts == ["not judged"] * 4
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["bound"]
