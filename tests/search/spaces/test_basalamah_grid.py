"""The published grid: its 27 networks in order, with the sizes they have."""

from __future__ import annotations

import pytest

from tests.search.spaces.examples import open_space


def test_the_grid_has_27_networks_and_the_order_is_that_of_its_lists():
    found = open_space("basalamah_grid", size_px=64)
    genomes = list(found.all())
    assert found.size() == len(genomes) == len({found.identity(g) for g in genomes}) == 27
    assert genomes[:4] == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)]
    assert found.architecture(genomes[5]) == {
        "family": "plain_cnn",
        "layer_size": 64,
        "conv_layers": 1,
        "dense_layers": 2,
        "side_px": 64,
    }


def test_the_largest_has_hundreds_of_millions_of_parameters_and_the_caps_keep_it_out():
    found = open_space("basalamah_grid", size_px=224, parameters=20_000_000)
    genome = (0, 2, 1)  # one convolution of 128 channels, one dense layer of 128
    # 3x3 convolution, dense layer on 111 x 111 maps, head of 3
    assert found.cost(genome).parameters == (9 + 1) * 128 + (111**2 * 128 + 1) * 128 + 129 * 3
    assert not found.allowed(genome) and found.allowed((2, 0, 0))
    assert found.cost(found.largest(1)).macs == max(
        found.cost(g).macs for g in found.all() if found.allowed(g)
    )


def test_its_networks_are_bound_to_the_side_of_their_images():
    with pytest.raises(ValueError, match="image_px is 32, the prepared images have 64 px"):
        open_space("basalamah_grid").check(image_px=32)
    open_space("basalamah_grid").check(image_px=64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_layers": [0]}, "conv_layers must be at least 1"),
        ({"dense_layers": [-1]}, "dense_layers must be at least 0"),
        ({"layer_sizes": []}, "layer_sizes is empty"),
    ],
)
def test_faulty_choices_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        open_space("basalamah_grid", **change)
