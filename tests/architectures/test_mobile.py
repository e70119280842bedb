"""Family mobile: it costs what MobileNetV2 costs, and takes widths in eights alone."""

from __future__ import annotations

import pytest

from cxr import architectures
from tests.architectures.cases import mobile

HEAD = 1281 * 1000
"""Parameters of the classifier that published figures include."""


def test_mobilenetv2_costs_what_is_published():
    """Sandler et al. 2018 on colours: 3.50 M parameters, 301 M MACs; grey saves two thirds of the stem."""
    found = architectures.cost(mobile((16, 24, 32, 64, 96, 160, 320), stem=32), size_px=224)
    assert found.parameters == 3_504_872 - HEAD - 2 * 9 * 32
    assert found.macs == 300_774_272 - 1_280_000 - 2 * 9 * 32 * 112**2


def test_words():
    assert architectures.words(mobile()) == (
        "stem 16 → 1 × inverted 8 (3×3) → 2 × inverted 8 (3×3, ×6 inside) → "
        "3 × inverted 16 (3×3, ×6 inside) → 4 × inverted 24 (3×3, ×6 inside) → "
        "3 × inverted 32 (3×3, ×6 inside) → 3 × inverted 56 (3×3, ×6 inside) → "
        "1 × inverted 112 (3×3, ×6 inside) → conv 1280 (1×1) → GAP"
    )


def test_sides_are_those_of_mobilenetv2():
    lines = architectures.outline(mobile(), size_px=224)
    assert [line.side_px for line in lines] == [224, 112, 112, 56, 28, 14, 14, 7, 7, 7, 0]
    assert architectures.smallest_px(mobile()) == 32


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        (mobile(stem=12), "stem must be a multiple of 8, not 12"),
        (mobile(head=0), "head must be a multiple of 8, not 0"),
        (mobile((8, 8, 16, 20, 32, 56, 112)), r"stages\[3\]: width must be a multiple of 8, not 20"),
        (mobile(depths=(1, 0, 3, 4, 3, 3, 1)), r"stages\[1\]: depth must be at least 1, not 0"),
        (mobile(kernels=(3, 3, 7, 3, 3, 3, 3)), r"stages\[2\].kernel must be one of 3, 5, not 7"),
        (mobile(stages=mobile()["stages"][:6]), "stages must be 7, as MobileNetV2's, not 6"),
    ],
)  # fmt: skip
def test_a_faulty_architecture_is_named(architecture, message):
    with pytest.raises(ValueError, match=message):
        architectures.read(architecture)
