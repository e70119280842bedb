"""The first difference of two files is named as their kind names things."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from safetensors.numpy import save

from flows import places


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def tensors(**changes: np.ndarray) -> bytes:
    found = {"a": np.zeros(3, np.int64), "b": np.arange(24, dtype=np.float32).reshape(2, 3, 4)}
    return save(found | changes)


def changed(shape: tuple[int, ...], index: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    array = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    array[index] = -1
    return array


CASES = {
    "an element of a tensor": (
        "model.safetensors", tensors(), tensors(b=changed((2, 3, 4), (1, 2, 0))),
        "tensor b, element [1, 2, 0] (1 of 24 differ): 20.0 recorded, -1.0 made",
    ),
    "a tensor more": (
        "model.safetensors", tensors(), tensors(c=np.ones(1)), "tensor c, which is only made",
    ),
    "another shape": (
        "model.safetensors", tensors(), tensors(a=np.zeros(4, np.int64)),
        "tensor a: shape [3] recorded, [4] made",
    ),
    "an element of an array": (
        "x.npy", npy(np.arange(6, dtype=np.int32).reshape(2, 3)), npy(changed((2, 3), (1, 1), np.int32)),
        "element [1, 1] (1 of 6 differ): 4 recorded, -1 made",
    ),
    "a pixel": (
        "x.npy", npy(np.zeros((2, 2), np.uint8)), npy(np.array([[0, 7], [0, 0]], np.uint8)),
        "element [0, 1] (1 of 4 differ)",
    ),
    "a cell": ("t.csv", b"a,b\n1,2\n3,4\n", b"a,b\n1,2\n3,5\n", "row 2, column b: 4 recorded, 5 made"),
    "a row less": ("t.csv", b"a\n1\n2\n", b"a\n1\n", "row 2, which is only recorded"),
    "a key": (
        "m.json", json.dumps({"x": 1, "y": {"z": [1, 2]}}).encode(),
        json.dumps({"x": 1, "y": {"z": [1, 3]}}).encode(), "y.z[1]: 2 recorded, 3 made",
    ),
    "a key of another name": ("m.json", b'{"x": 1}', b'{"y": 1}', "x: 1 recorded, None made"),
    "white space alone": ("m.json", b'{"x": 1}', b'{"x":1}', "byte 5 of 8 (made: 7)"),
    "a picture": ("p.png", b"0123456789", b"01234x6789", "byte 5 of 10 (made: 10)"),
    "a file cut off": ("p.png", b"0123456789", b"0123", "byte 4 of 10 (made: 4)"),
    "a broken header": ("m.safetensors", tensors(), b"\xff" * 40, "byte 0 of"),
    "nothing": ("m.json", b"{}", b"", "byte 0 of 2 (made: 0)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_place_is_said(case):
    name, recorded, made, words = CASES[case]
    assert places.first(name, recorded, made).startswith(words)


def test_the_same_is_said_to_be_the_same():
    assert places.first("x.csv", b"a\n", b"a\n") == "the contents are the same"


@pytest.mark.parametrize("place", [0, 1, 4095, 4096, 99_999])
def test_the_first_byte_is_found_wherever_it_is(place):
    one = bytes(100_000)
    other = one[:place] + b"\x01" * (100_000 - place)
    assert places.first("x", one, other).startswith(f"byte {place} of ")
