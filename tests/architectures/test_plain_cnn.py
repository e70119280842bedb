"""Family plain_cnn: the size that Basalamah & Rahman 2021 name, and what can't be."""

from __future__ import annotations

import pytest

from cxr import architectures
from tests.architectures.cases import plain_cnn


def test_the_published_network_has_202_million_parameters():
    """One convolution of 128 filters, one dense layer of 128, grey images of 224 px."""
    architecture = plain_cnn(layer_size=128, conv_layers=1, dense_layers=1, side_px=224)
    found = architectures.cost(architecture, size_px=224)
    assert found.parameters == 9 * 128 + 128 + 111 * 111 * 128 * 128 + 128
    assert found.macs == 222 * 222 * 9 * 128 + 111 * 111 * 128 * 128
    assert found.activation_bytes == 4 * (222 * 222 * 128 + 128)


def test_words_and_outline():
    architecture = plain_cnn(layer_size=64, conv_layers=2, dense_layers=1, side_px=224)
    assert architectures.words(architecture) == (
        "conv 64 (3×3, unpadded) + max-pool → conv 64 (3×3, unpadded) + max-pool → flatten → dense 64"
    )
    lines = architectures.outline(architecture, size_px=224)
    assert [(line.channels, line.side_px) for line in lines] == [
        (1, 224), (64, 111), (64, 54), (64 * 54 * 54, 0), (64, 0)
    ]  # fmt: skip


@pytest.mark.parametrize(("conv_layers", "side_px"), [(1, 4), (2, 10), (3, 22)])
def test_smallest_px_leaves_one_pixel(conv_layers, side_px):
    architecture = plain_cnn(conv_layers=conv_layers, dense_layers=0, side_px=side_px)
    assert architectures.smallest_px(architecture) == side_px
    assert architectures.features(architecture, size_px=side_px) == 16
    with pytest.raises(ValueError, match=f"side_px must be at least {side_px}, not {side_px - 1}"):
        architectures.read({**architecture, "side_px": side_px - 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_size": 0}, "layer_size must be at least 1, not 0"),
        ({"conv_layers": 0}, "conv_layers must be at least 1, not 0"),
        ({"dense_layers": -1}, "dense_layers must be at least 0, not -1"),
    ],
)
def test_a_faulty_architecture_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        architectures.read(plain_cnn(**changes))
