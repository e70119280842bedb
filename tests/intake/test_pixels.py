"""Tests of cxr.intake.pixels: where shards end, and what is taken again, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from cxr import seeding
from cxr.intake import blocks, pixels

STEPS = [{"name": "resize", "size_px": 16, "fit": "stretch"}]
IMAGES = seeding.stream(0, "pixels").integers(0, 256, (4, 16, 16), dtype=np.uint8)
HASHES = ["h0", "h1", "h2", "h3"]


def test_a_shard_ends_with_its_archive_and_with_its_block(monkeypatch):
    monkeypatch.setattr(blocks, "_MOST", 3)
    names = [*(f"d/a.zip/{i}" for i in range(4)), "d/b/c.tar.gz/1", "d/x/1", "d/y/2", "e/1", "e/2"]
    found = list(pixels.shards(names))
    assert [names[rows] for rows in found] == [
        names[:3], names[3:4], names[4:5], names[5:7], names[7:]
    ]  # fmt: skip
    assert list(pixels.shards([])) == []


def test_shards_are_the_blocks_of_ingest():
    members = [f"a.zip/{i:05d}.png" for i in range(2000)]
    cut = [list(block.members) for block in blocks.cut(members, state="")]
    names = [f"set/{member}" for member in members]
    assert [members[rows] for rows in pixels.shards(names)] == cut


def test_a_block_is_linked_where_a_shard_wants_its_images(tmp_path):
    pixels.write(tmp_path / "kept/chain", HASHES[:2], list(IMAGES[:2]))
    kept = pixels.Pixels(tmp_path / "kept/chain", ["new", *HASHES])
    assert kept.take(slice(1, 3), tmp_path / "shard.npy")
    assert np.array_equal(np.load(tmp_path / "shard.npy"), IMAGES[:2])
    for rows in (slice(0, 2), slice(1, 2), slice(1, 4)):
        assert not kept.take(rows, tmp_path / "no.npy")
    assert not pixels.Pixels(tmp_path / "kept/chain", HASHES[1::-1]).take(
        slice(0, 2), tmp_path / "no.npy"
    )


def test_single_images_are_found_in_any_shard(tmp_path):
    pixels.write(tmp_path, HASHES[:2], list(IMAGES[:2]))
    pixels.write(tmp_path, HASHES[2:], list(IMAGES[2:]))
    kept = pixels.Pixels(tmp_path, HASHES)
    for i in (3, 0, 2, 1, 1):
        assert np.array_equal(kept.image(f"h{i}"), IMAGES[i])
    assert kept.image("h4") is None
    assert pixels.Pixels(tmp_path / "absent", HASHES).image("h0") is None


@pytest.mark.parametrize("suffix", ["json", "npy"])
def test_what_is_cut_short_is_not_there(tmp_path, suffix):
    pixels.write(tmp_path, HASHES[:2], list(IMAGES[:2]))
    path = next(tmp_path.glob(f"*.{suffix}"))
    path.write_bytes(path.read_bytes()[:-1])
    assert pixels.Pixels(tmp_path, HASHES).image("h0") is None
    assert pixels.Pixels(tmp_path, HASHES).take(slice(0, 2), tmp_path / "x") == (suffix == "json")


def test_what_is_used_stays_and_the_rest_goes(tmp_path):
    folder = tmp_path / "kept" / "chain"
    pixels.write(folder, HASHES[:2], list(IMAGES[:2]))
    pixels.write(folder, HASHES[2:], list(IMAGES[2:]))
    pixels.write(tmp_path / "kept" / "other chain", HASHES[:2], list(IMAGES[:2]))
    kept = pixels.Pixels(folder, HASHES)
    kept.take(slice(0, 2), tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", IMAGES[1:3])
    kept.keep(slice(1, 3), tmp_path / "b.npy")
    kept.forget_others()
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["chain"]
    later = pixels.Pixels(folder, HASHES)
    assert later.take(slice(0, 2), tmp_path / "c.npy") and later.take(
        slice(1, 3), tmp_path / "d.npy"
    )
    assert not later.take(slice(2, 4), tmp_path / "e.npy")
    assert (tmp_path / "d.npy").stat().st_ino == (tmp_path / "b.npy").stat().st_ino


def test_key_tells_the_steps():
    assert pixels.key(STEPS) == pixels.key([dict(reversed(STEPS[0].items()))])
    assert pixels.key(STEPS) != pixels.key([STEPS[0] | {"size_px": 17}])


def test_faulty_steps_are_refused():
    with pytest.raises(ValueError, match=r"unknown preprocessing 'no'"):
        pixels.chain_of([{"name": "no"}])
