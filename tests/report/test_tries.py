"""Networks in words, as the tables of what was tried say them."""

import json

import pytest

from cxr.report import tries
from tests.report import cases
from tests.search import tables


def test_an_architecture_is_told_in_one_line():
    words = "stem 16 → 2 × residual 24 (5×5) → 1 × inverted 48 (3×3, ×4 inside) → GAP"
    assert tries.architecture(json.dumps(cases.NETWORK)) == words
    assert tries.architecture(json.dumps(tables.plain_cnns()[0])).startswith("conv 32 (3×3")


@pytest.mark.parametrize(
    "words", ["<b>", json.dumps({"cells": [1, 2]}), '{"family": "../x"}', "[1]", "null", "resnet18", ""]
)  # fmt: skip
def test_what_is_no_architecture_stands_as_it_is(words):
    assert tries.architecture(words) == words
