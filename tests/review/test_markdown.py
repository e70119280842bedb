"""The Markdown page is short, and nothing that a branch names gets out of its code span."""

from __future__ import annotations

from pathlib import Path

from cxr.review import markdown, story
from tests.review import cases


def test_the_page_tells_verdicts_causes_parameters_and_data(tmp_path: Path) -> None:
    text = markdown.page(story.gather(cases.better(tmp_path)))
    lines = text.splitlines()
    assert lines[0] == "## Review: `main (aaaaaaaaaa)` → `bbbbbbbbbb`"
    (row,) = [line for line in lines if line.startswith("| `small` | AUROC")]
    assert row.endswith("| **better** |")
    assert "The same on both sides: `large`." in lines
    assert f"| parameter `{cases.EPOCHS_CAUSE['words']}` | `transfer@small` |" in lines
    assert "| `evaluate@small` | follows `transfer@small` | the same bytes |" in lines
    assert "| `transfer.recipes.small.epochs` | `4` | `8` |" in lines
    assert "| `hash of data/raw/toy` | `aaaaaaaa` | `bbbbbbbb` |" in lines
    assert len(text) < 4000


def test_every_table_row_has_the_cells_of_its_head(tmp_path: Path) -> None:
    evil = {"kind": "code", "what": "x", "words": "a|b`c | <img src=x> @everyone #1"}
    cases.better(tmp_path)
    cases.changes(tmp_path, cases.stage("fit|x`", evil))
    text = markdown.page(story.gather(tmp_path))
    width = 0
    for line in text.splitlines():
        cells = line.replace("\\|", "").count("|")
        if line.startswith("|"):
            width = width or cells
            assert cells == width, line
        else:
            width = 0
    outside = "".join(text.split("`")[0::2])
    assert text.count("`") % 2 == 0
    assert "<img" not in outside and "@everyone" not in outside and "#1" not in outside


def test_our_own_sentences_mention_nobody_and_keep_their_code() -> None:
    assert markdown.plain("a_b <c> `d_e` @f") == "a\\_b \\<c> `d_e` @\u2060f"


def test_long_tables_are_folded(tmp_path: Path) -> None:
    cases.better(tmp_path)
    stages = [cases.stage(f"stage_{i}", cases.EPOCHS_CAUSE) for i in range(20)]
    text = markdown.page(story.gather(cases.changes(tmp_path, *stages)))
    assert "<details><summary>20 stages, each with its causes</summary>\n\n| stage" in text
    assert "`stage_0`, `stage_1`, `stage_2` and 17 more |" in text
