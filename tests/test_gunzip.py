"""Tests of cxr.gunzip: any part in any order, several streams, and what breaks off."""

from __future__ import annotations

import gzip
import io
import itertools
import os

import pytest

from cxr import gunzip, seeding

# half of it noise, half compressible
CONTENTS = b"".join(seeding.stream(0, "noise", i).bytes(700) + bytes(700) for i in range(60))


@pytest.fixture
def many_points(monkeypatch):
    monkeypatch.setattr(gunzip.Gunzip, "STEP_BYTES", 5000)
    monkeypatch.setattr(gunzip.Gunzip, "INPUT_BYTES", 1000)


def opened(packed):
    return io.BufferedReader(gunzip.Gunzip(io.BytesIO(packed)))


@pytest.mark.parametrize("cuts", [[], [30_000], [1, 5000, 5001, 83_000]])
def test_parts_are_read_in_any_order(many_points, cuts):
    ends = [0, *cuts, len(CONTENTS)]
    streams = [CONTENTS[a:b] for a, b in itertools.pairwise(ends)]
    file = opened(b"".join(gzip.compress(stream) for stream in streams))
    places = seeding.stream(0, "places").integers(0, len(CONTENTS), 200)
    for place in [0, *places.tolist(), len(CONTENTS) - 5]:
        file.seek(place)
        assert file.tell() == place
        assert file.read(777) == CONTENTS[place : place + 777]
    file.seek(0)
    assert file.read() == CONTENTS


def test_going_back_does_not_begin_again(many_points):
    file = gunzip.Gunzip(io.BytesIO(gzip.compress(CONTENTS)))
    while file.read(4096):
        pass
    file.seek(70_000)
    read = []
    file._packed = type("Spy", (io.BytesIO,), {
        "read": lambda self, n: read.append(n) or io.BytesIO.read(self, n),
    })(gzip.compress(CONTENTS))  # fmt: skip
    file.seek(69_000)
    assert file.read(50) == CONTENTS[69_000:69_050]
    assert len(read) <= 6


def test_points_grow_wider_apart_before_they_fill_the_memory(many_points, monkeypatch):
    monkeypatch.setattr(gunzip.Gunzip, "MOST_POINTS", 4)
    file = gunzip.Gunzip(io.BytesIO(gzip.compress(CONTENTS)))
    while file.read(4096):
        pass
    places = [point[0] for point in file._points]
    assert 2 <= len(places) <= 5 and places[0] == 0
    assert min(b - a for a, b in itertools.pairwise(places)) >= 20_000
    whole = io.BufferedReader(file)
    for place in (70_000, 3, 41_000):
        whole.seek(place)
        assert whole.read(50) == CONTENTS[place : place + 50]


def test_zeros_after_the_end_are_padding():
    assert opened(gzip.compress(CONTENTS) + bytes(100)).read() == CONTENTS


def test_file_that_breaks_off_is_noticed():
    packed = gzip.compress(CONTENTS)
    for end in (0, 5, len(packed) // 2, len(packed) - 1):
        with pytest.raises(EOFError, match="it breaks off"):
            opened(packed[:end]).read()


def test_the_length_is_not_known_beforehand():
    with pytest.raises(io.UnsupportedOperation, match="not known beforehand"):
        gunzip.Gunzip(io.BytesIO(gzip.compress(b"x"))).seek(0, os.SEEK_END)
