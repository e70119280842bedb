"""Every family keeps to one contract: faults told with their place, cost and drawing of one plan, no torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cxr import architectures
from tests.architectures.cases import FAMILIES, KINDS, SIZE_PX, cells, draw, mobile, plain_cnn


def test_a_family_has_cases():
    assert FAMILIES == ["cells", "mobile", "plain_cnn"]
    assert sorted({architecture["family"] for architecture in KINDS.values()}) == FAMILIES


def test_a_network_that_is_written_out_is_told_from_one_that_a_search_finds():
    assert all(architectures.written_out(architecture) for architecture in KINDS.values())
    assert architectures.written_out({"family": "unknown"})  # `read` says what is wrong with it
    for other in ({"search": "small", "pick": "evolved"}, {}, None, ["family"], "family"):
        assert not architectures.written_out(other)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lines_of_the_drawing_add_up_to_the_cost(family):
    for number in range(20):
        architecture = draw(family, number)
        lines = architectures.outline(architecture, size_px=SIZE_PX)
        total = architectures.cost(architecture, size_px=SIZE_PX)
        assert sum(line.parameters for line in lines) == total.parameters
        assert sum(line.macs for line in lines) == total.macs
        assert (lines[0].words, lines[0].channels, lines[0].side_px) == ("input", 1, SIZE_PX)
        assert lines[-1].side_px == 0
        assert lines[-1].channels == architectures.features(architecture, size_px=SIZE_PX)
        sides = [line.side_px for line in lines]
        assert sides == sorted(sides, reverse=True)
        words = [line.words for line in lines[1:]]
        assert architectures.words(architecture).split("; ")[0].split(" → ") == words


@pytest.mark.parametrize("family", FAMILIES)
def test_networks_that_are_said_in_the_same_words_cost_the_same(family):
    costs = {}
    for number in range(200):
        architecture = draw(family, number)
        found = architectures.cost(architecture, size_px=SIZE_PX)
        assert costs.setdefault(architectures.words(architecture), found) == found
    assert len(costs) > 5


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({}, "architecture.family is missing: known are cells, mobile, plain_cnn"),
        ({"family": "cell"}, "unknown architectures 'cell': known are cells, mobile, plain_cnn"),
        ({"search": "small", "pick": "evolved"}, "architecture.family is missing"),
        (cells(groups=2), "architecture.groups is unknown"),
        (plain_cnn(size=2), "architecture.size is unknown"),
        (mobile(size=2), "architecture.size is unknown"),
    ],
)  # fmt: skip
def test_what_is_no_architecture_is_told_by_every_function(architecture, message):
    sized = (architectures.cost, architectures.features, architectures.outline)
    with pytest.raises(ValueError, match=message):
        architectures.read(architecture)
    with pytest.raises(ValueError, match=message):
        architectures.words(architecture)
    for function in sized:
        with pytest.raises(ValueError, match=message):
            function(architecture, size_px=SIZE_PX)


def test_all_faults_are_told_at_once():
    faulty = cells(activation="gelu", stem="16", stages=[{"block": "plain"}])
    with pytest.raises(ValueError) as error:
        architectures.read(faulty)
    assert [line.split(" ")[0] for line in str(error.value).splitlines()] == [
        "architecture.stem", "architecture.activation", "architecture.stages[0].width",
        "architecture.stages[0].depth", "architecture.stages[0].kernel", "architecture.stages[0].se",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if "side_px" in kind])
def test_a_network_of_flattened_maps_takes_one_size_alone(name):
    assert architectures.fixed_px(KINDS[name]) == SIZE_PX
    with pytest.raises(ValueError, match=r"images of 32 px alone.*not of 40 px.*side_px 40"):
        architectures.cost(KINDS[name], size_px=40)


def test_nothing_here_needs_torch():
    code = (
        "import sys\n"
        "from cxr import architectures\n"
        "from tests.architectures import cases\n"
        "for family in cases.FAMILIES: architectures.cost(cases.draw(family), size_px=32)\n"
        "assert not {'torch', 'torchvision', 'timm'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
