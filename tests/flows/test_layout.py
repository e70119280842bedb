"""The canonical text: sections apart, short mappings in one line, long ones in blocks, comments kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import layout, study

COMMENTS = """\
seed: 5 # the seed
transfer:
  runs: [] # which
  recipes:
    "*":
      rate: 0.1 # how fast
"""


def test_the_text_reads_back_with_the_comments_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(COMMENTS)
    tree = {"seed": 5, "transfer": {"runs": ["a"], "recipes": {"a": {"rate": 0.1, "name": None}}}}
    text = layout.text(tree, "# head\n", comments=tmp_path / "defaults.yaml")
    assert study.parse(text) == tree
    assert text == (
        "# head\nseed: 5 # the seed\n\ntransfer:\n  runs: [a] # which\n  recipes:\n"
        "    a: {rate: 0.1, name: null}\n"
    )


def test_what_is_too_long_for_a_line_gets_one_for_each_entry(tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(COMMENTS)
    words = {f"a_word_that_takes_much_space_{i}": i for i in range(4)}
    recipes = {"a": {"rate": 0.1, **words}}
    text = layout.text(
        {"seed": 5, "transfer": {"recipes": recipes}}, "", comments=tmp_path / "defaults.yaml"
    )
    assert "    a:\n      rate: 0.1 # how fast\n      a_word_that_takes_much_space_0: 0\n" in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, "0.5"),
        ([1, "a"], "[1, a]"),
        ({"b": None, "a": True}, "{b: null, a: true}"),
        ({f"key_{i}": "a long word" for i in range(9)}, "9 keys"),
    ],
)
def test_a_value_is_said_in_one_line(value: object, words: str) -> None:
    assert layout.words(value) == words
