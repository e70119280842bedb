"""Family cells: costs counted by hand, words, and choices that exclude one another."""

from __future__ import annotations

import pytest

from cxr import architectures
from cxr.architectures import Cost
from tests.architectures.cases import FLAT, cells, stage


def cost(*stages, size_px: int = 16, **changes) -> Cost:
    return architectures.cost(cells(*stages, stem=8, **changes), size_px=size_px)


STEM = Cost(parameters=9 * 8 + 16, macs=64 * 72, activation_bytes=4 * 64 * 8)
"""8 filters on 16 px, with a norm."""


def beyond(found: Cost, known: Cost = STEM) -> tuple[int, int, int]:
    return (
        found.parameters - known.parameters,
        found.macs - known.macs,
        (found.activation_bytes - known.activation_bytes) // 4,
    )


def test_a_plain_stage():
    found = cost(stage(width=16, depth=2))
    assert beyond(found) == (72 * 16 + 144 * 16 + 64, 16 * (72 * 16 + 144 * 16), 2 * 16 * 16)


def test_a_residual_block_projects_its_shortcut_only_where_the_size_changes():
    one, two = (cost(stage("residual", width=16, depth=depth)) for depth in (1, 2))
    weights = 72 * 16 + 144 * 16 + 8 * 16
    assert beyond(one) == (weights + 3 * 32, 16 * weights, 3 * 256)
    assert beyond(two, one) == (2 * 144 * 16 + 2 * 32, 16 * 2 * 144 * 16, 2 * 256)


def test_an_inverted_block_widens_on_the_larger_maps():
    found = cost(stage("inverted", width=16, depth=1, expansion=4))
    parameters = 8 * 32 + 9 * 32 + 32 * 16 + 2 * (32 + 32 + 16)
    assert beyond(found) == (
        parameters, 64 * 8 * 32 + 16 * (9 * 32 + 32 * 16), 64 * 32 + 16 * (32 + 16)
    )  # fmt: skip


def test_a_dense_stage_grows_by_half_its_width_in_eights():
    """24 wide: growth 16; halved by a convolution to 32, or by pooling the 8 channels that come."""
    strided = cost(stage("dense", width=24, depth=2))
    weights = 72 * 32 + 9 * 32 * 16 + 9 * 48 * 16 + 64 * 24
    assert beyond(strided) == (weights + 2 * (32 + 16 + 16 + 24), 16 * weights, 16 * 88)
    pooled = cost(stage("dense", width=24, depth=2), down="max_pool")
    weights = 72 * 16 + 9 * 24 * 16 + 40 * 24
    assert beyond(pooled) == (weights + 2 * (16 + 16 + 24), 16 * weights, 16 * 56)


@pytest.mark.parametrize(("width", "inside"), [(8, 8), (40, 8), (48, 16), (64, 16), (128, 32)])
def test_squeeze_excitation_has_a_quarter_of_the_channels_inside_in_eights(width, inside):
    bare, squeezed = (cost(stage(width=width, depth=1, se=se)) for se in (False, True))
    weights = 2 * width * inside
    assert beyond(squeezed, bare) == (weights + inside + width, weights, inside + width)


def test_a_narrow_inverted_block_is_squeezed_inside():
    bare, squeezed = (
        cost(stage("inverted", width=64, depth=1, expansion=1, se=se)) for se in (False, True)
    )
    assert beyond(squeezed, bare) == (8 * 8 * 2 + 16, 8 * 8 * 2, 16)


def test_lower_resolution_saves_macs_and_no_parameters():
    whole, half = (cost(stage(), size_px=32, resolution=percent) for percent in (100, 50))
    assert whole.parameters == half.parameters
    assert whole.macs == 4 * half.macs and whole.activation_bytes == 4 * half.activation_bytes
    assert cost(stage(), size_px=32, resolution=50) == cost(stage(), size_px=16)


def test_halving_by_pooling_costs_as_much_as_by_stride_in_plain_stages():
    assert cost(stage(), stage(), size_px=45) == cost(stage(), stage(), size_px=45, down="max_pool")


def test_flattened_maps_and_dense_layers():
    gap = cells(stage(width=16, depth=1), stem=8)
    flat = {**gap, "pool": "flatten", "side_px": 16}
    assert architectures.features(gap, size_px=16) == 16
    assert architectures.features(flat, size_px=16) == 16 * 4 * 4
    with_layers = architectures.cost({**flat, "hidden": [64, 8]}, size_px=16)
    found = beyond(with_layers, architectures.cost(flat, size_px=16))
    assert found == (257 * 64 + 65 * 8, 256 * 64 + 64 * 8, 72)


def test_words():
    stages = [
        stage("residual", 24, 2, 5),
        stage("inverted", 64, 1, 3, expansion=4, se=True),
    ]
    assert architectures.words(cells(*stages)) == (
        "stem 16 → 2 × residual 24 (5×5) → 1 × inverted 64 (3×3, ×4 inside, SE) → GAP"
    )
    other = cells(
        stage("dense", 24), resolution=50, activation="hardswish", norm="group", down="max_pool",
        hidden=[64, 8], **FLAT,
    )  # fmt: skip
    assert architectures.words(other) == (
        "at 50 % → stem 16 → 2 × dense 24 (3×3) → flatten → dense 64 → dense 8; "
        "hard swish, GroupNorm, max-pooled"
    )


@pytest.mark.parametrize(
    ("stages", "resolution", "side_px"),
    [(1, 100, 4), (4, 100, 32), (2, 75, 10), (2, 50, 15), (2, 1, 750)],
)
def test_smallest_px_leaves_two_pixels_to_each_halving(stages, resolution, side_px):
    architecture = cells(*[stage()] * stages, resolution=resolution)
    assert architectures.smallest_px(architecture) == side_px
    for side, enough in ((side_px, True), (side_px - 1, False)):
        shrunk = architectures.outline(architecture, size_px=side)[int(resolution < 100)].side_px
        assert (shrunk >= 2 ** (stages + 1)) == enough


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({k: v for k, v in cells().items() if k != "stem"}, "architecture.stem is missing"),
        (cells(stem=0), "architecture: stem must be at least 1, not 0"),
        (cells(stages=[]), "architecture: stages is empty"),
        (cells(stages=["plain"]), r"stages\[0\] must be a mapping, not 'plain'"),
        (cells(stages=5), r"architecture.stages must be list"),
        (cells(stage(), stage("sparse")), r"stages\[1\].block must be one of 'plain'"),
        (cells(stage(kernel=4)), r"stages\[0\].kernel must be one of 3, 5"),
        (cells(stage(depth=0)), r"stages\[0\]: depth must be at least 1"),
        (cells(stage(groups=2)), r"stages\[0\].groups is unknown"),
        (cells(stage(expansion=2)), r"stages\[0\]: expansion goes with block inverted"),
        (cells(stage("inverted", expansion=None)), "expansion goes with block inverted"),
        (cells(stage("inverted", expansion=0)), "expansion must be at least 1"),
        (cells(resolution=0), r"resolution must be 1\.\.100 percent, not 0"),
        (cells(resolution=150), r"resolution must be 1\.\.100 percent, not 150"),
        (cells(activation="relu6"), "activation must be one of 'relu', 'silu', 'hardswish'"),
        (cells(hidden=[8, 0]), r"hidden\[1\] must be at least 1, not 0"),
        (cells(pool="flatten"), "side_px goes with pool flatten, and only with it"),
        (cells(side_px=32), "side_px goes with pool flatten, and only with it"),
        (cells(pool="flatten", side_px=31), "side_px must be at least 32, not 31"),
        (cells(stage(width=12), norm="group"), "stem and widths in multiples of 8, not 12"),
        (cells(stem=12, norm="group"), "stem and widths in multiples of 8, not 12"),
    ],
)  # fmt: skip
def test_a_faulty_architecture_is_named(architecture, message):
    with pytest.raises(ValueError, match=message):
        architectures.read(architecture)
