"""Plans: shapes and costs of single layers, and layers that can't stand behind one another."""

from __future__ import annotations

import pytest

from cxr.architectures import (
    Concat,
    Conv,
    Cost,
    Linear,
    MaxPool,
    Pool,
    Shape,
    Shrink,
    Squeeze,
    Sum,
    count,
    shrunk,
)

MAPS = Shape(8, 9)


def cost(parameters: int = 0, macs: int = 0, outputs: int = 0) -> Cost:
    return Cost(parameters=parameters, macs=macs, activation_bytes=4 * outputs)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (Conv(8, 4, 3), Shape(4, 9), cost(288 + 8, 81 * 288, 81 * 4)),
        (Conv(8, 4, 3, 2), Shape(4, 5), cost(288 + 8, 25 * 288, 25 * 4)),
        (Conv(8, 4, 3, norm=None), Shape(4, 9), cost(288 + 4, 81 * 288, 81 * 4)),
        (Conv(8, 4, 3, padded=False), Shape(4, 7), cost(288 + 8, 49 * 288, 49 * 4)),
        (Conv(8, 8, 5, groups=8), Shape(8, 9), cost(200 + 16, 81 * 200, 81 * 8)),
        (Squeeze(8, 2, "relu"), MAPS, cost(16 + 2 + 16 + 8, 32, 10)),
        (MaxPool(3), Shape(8, 5), cost()),
        (MaxPool(2), Shape(8, 4), cost()),
        (Shrink(50), Shape(8, 5), cost()),
        (Pool("gap"), Shape(8, 0), cost()),
        (Pool("flatten"), Shape(8 * 81, 0), cost()),
        (Sum([Conv(8, 8, 1)], [], None), MAPS, cost(64 + 16, 81 * 64, 81 * 8)),
        (Concat([Conv(8, 4, 1), Conv(12, 4, 1)]), Shape(16, 9), cost(96, 81 * 80, 81 * 8)),
    ],
)
def test_what_a_layer_puts_out_and_costs(layer, shape, expected):
    assert count([layer], MAPS) == (shape, expected)


def test_costs_of_layers_add_up():
    layers = [Conv(8, 4, 1), Pool("gap"), Linear(4, 3, "relu")]
    assert count(layers, MAPS) == (Shape(3, 0), cost(40 + 15, 81 * 32 + 12, 81 * 4 + 3))
    assert count([], MAPS) == (MAPS, cost())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Conv(4, 4, 1)], "can't read"),
        ([Linear(8, 4, "relu")], "can't read"),
        ([Pool("gap"), Linear(9, 4, "relu")], "can't read"),
        ([Sum([Conv(8, 4, 1)], [], None)], "can't be added to"),
        ([Sum([Conv(8, 8, 3, 2)], [Conv(8, 8, 1)], None)], "can't be added to"),
    ],
)
def test_a_plan_that_does_not_fit_together_is_a_bug(layers, message):
    with pytest.raises(AssertionError, match=message):
        count(layers, MAPS)


@pytest.mark.parametrize(
    ("side_px", "percent", "expected"), [(64, 75, 48), (45, 50, 23), (10, 75, 8), (3, 1, 1)]
)
def test_shrunk_goes_half_a_pixel_up(side_px, percent, expected):
    assert shrunk(side_px, percent) == expected
