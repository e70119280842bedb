"""The judge: each network once, whoever asks and by whatever encoding, and on record."""

import pytest

from cxr import numerics
from cxr.pruning import brief, fitness
from cxr.pruning.judging import Network
from tests.pruning.parents import begin, judge, make

numerics.exact_torch()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    make(folder)
    return folder


@pytest.fixture(scope="module")
def begun(folder):
    return begin(folder)


@pytest.fixture
def counted(monkeypatch):
    monkeypatch.setenv("CXR_WORKERS", "1")
    worked = []
    for module, name in ((fitness, "evaluate"), (brief, "train")):
        whole = getattr(module, name)

        def count(task, name=name, whole=whole):
            worked.append(name)
            return whole(task)

        monkeypatch.setattr(module, name, count)
    return worked


def network(code, genome):
    return Network(0, code.kept(genome), code.macs(genome))


def test_a_network_is_judged_once_by_whatever_encoding_it_is_named(
    folder, begun, tmp_path, counted
):
    court, code = judge(tmp_path, begun), begun.space.encoding
    other = begun.space.ranked["random"]  # the whole network is the same by any order of channels
    asked = [network(code, code.whole), network(code, code.smallest), network(other, other.whole)]
    found = court.cut(asked)
    assert found[0] == found[2] != found[1] and counted == ["evaluate"] * 2
    assert court.evaluations == 2
    task = fitness.Task(begun.fold, begun.taught_NL, asked[1].kept, code.cost)
    assert found[1] == fitness.evaluate(task)
    counted.clear()
    again = judge(tmp_path, begun)
    assert again.cut(asked) == found and counted == []
    assert again.evaluations == 2  # those on record count too: the number is the same after a kill


def test_a_short_training_has_a_record_of_its_own_for_each_length(begun, tmp_path, counted):
    court, code = judge(tmp_path, begun), begun.space.encoding
    asked = [network(code, code.smallest)] * 2
    eight, again = court.trained(asked, samples=8), court.trained(asked, samples=8)
    assert eight == again and eight[0] == eight[1] and counted == ["train"]
    assert court.trained(asked, samples=16)[0]["samples"] == 16 and counted == ["train"] * 2
    assert court.evaluations == 0


def test_macs_that_were_counted_wrongly_are_a_bug(begun, tmp_path, counted):
    code = begun.space.encoding
    wrong = network(code, code.smallest)._replace(macs=1)
    with pytest.raises(AssertionError, match="not 1 MACs"):
        judge(tmp_path, begun).cut([wrong])
