"""Tests of cxr.intake.blocks: where blocks are cut, and what is not taken for whole."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.intake import blocks

NAMES = [f"{i:05d}.png" for i in range(3000)]


def test_blocks_hold_every_member_once_and_are_not_too_long():
    cut = list(blocks.cut(NAMES, state="s"))
    assert [name for block in cut for name in block.members] == NAMES
    assert max(len(block.members) for block in cut) == blocks._MOST
    assert len({block.key for block in cut}) == len(cut)
    assert list(blocks.cut([], state="s")) == []


def test_a_name_that_is_added_moves_few_cuts(monkeypatch):
    monkeypatch.setattr(blocks, "_ONE_IN", 50)
    before = {block.key for block in blocks.cut(NAMES, state="s")}
    after = {block.key for block in blocks.cut(sorted([*NAMES, "00100a.png"]), state="s")}
    assert len(after - before) == 1


def test_key_tells_state_members_and_code(monkeypatch):
    key = blocks.named(NAMES[:3], state="s").key
    assert key == blocks.named(NAMES[:3], state="s").key
    assert key != blocks.named(NAMES[:3], state="t").key != blocks.named(NAMES[:2], state="t").key
    monkeypatch.setattr(blocks, "_measuring", ["other code"])
    assert key != blocks.named(NAMES[:3], state="s").key


@pytest.mark.parametrize("damage", ["json", "npy", "other members"])
def test_what_is_not_whole_is_not_there(tmp_path, damage):
    block = blocks.named(NAMES[:2], state="s")
    blocks.write(tmp_path, block, {"x": [1, None]}, np.ones((2, 32, 32), np.uint8))
    facts, thumbnails = blocks.read(tmp_path, block)
    assert facts == {"x": [1, None]} and thumbnails.shape == (2, 32, 32)
    if damage == "other members":
        block = blocks.Block(block.key, tuple(NAMES[:3]))
    else:
        path = tmp_path / f"{block.key}.{damage}"
        path.write_bytes(path.read_bytes()[:-1] + b"\2")
    assert blocks.read(tmp_path, block) is None


def test_state_tells_a_changed_file(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    before = blocks.state(tmp_path / "a")
    assert before == blocks.state(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "b").replace(tmp_path / "a")
    assert blocks.state(tmp_path / "a") != before
