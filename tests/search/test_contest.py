"""The contest: rungs are climbed, none trained twice, records replayed to the same end, words each generation."""

from __future__ import annotations

from cxr.search import contest, rivals
from cxr.search.prefilter import Prefilter
from tests.search.made_up import SPACE, judge, score, trained
from tests.search.settings import terms

__all__ = ["trained"]
RUNGS = [{"networks": 4, "samples": 16}, {"networks": 2, "samples": 32}]


def explore(folder, *, folds=2, choosers=(), **changes):
    found = terms(**{"rungs": RUNGS, "generations": 3, **changes})
    searches = rivals.searches(SPACE, found, folds=folds, seed=1, choosers=choosers)
    return contest.explore(
        searches, SPACE, judge(folder, folds=folds), found, max_macs=2_000_000
    )  # fmt: skip


def test_each_rung_has_its_samples_and_none_is_trained_twice(tmp_path, trained):
    tried, results = explore(tmp_path)
    assert len(trained) == len(set(trained)) == len(results)
    for (fold, network, rung), result in results.items():
        samples = RUNGS[rung]["samples"]
        assert result["auroc"] == score(fold, network, samples, "search")
        assert (fold, network, samples, "search") in trained
    for (fold, _), members in tried.items():
        for member in members:
            result = results[fold, SPACE.identity(member.genome), member.rung]
            assert member.objectives == (1.0 - result["auroc"], float(result["macs"]))


def test_accuracy_ranks_where_it_is_the_score(tmp_path, trained):
    tried, results = explore(tmp_path, score="accuracy")
    for (fold, _), members in tried.items():
        for member in members:
            result = results[fold, SPACE.identity(member.genome), member.rung]
            assert member.objectives[0] == 1.0 - result["accuracy"]


def test_records_are_replayed_to_the_same_end(tmp_path, trained):
    first = explore(tmp_path)
    done = len(trained)
    for path in sorted(tmp_path.glob("*.json"))[::2]:
        path.unlink()
    assert explore(tmp_path) == first
    assert len(trained) - done == -(-done // 2)


def test_a_longer_search_trains_only_what_is_new(tmp_path, trained):
    tried, results = explore(tmp_path, generations=2)
    done = len(trained)
    longer, more = explore(tmp_path, generations=4)
    for which, members in tried.items():
        assert longer[which][: len(members)] == members
    assert len(trained) == len(more) > done
    assert results.items() <= more.items()


def test_a_third_rung_trains_only_what_it_adds(tmp_path, trained):
    explore(tmp_path, generations=1)
    done = len(trained)
    explore(tmp_path, generations=1, rungs=[*RUNGS, {"networks": 1, "samples": 64}])
    assert {samples for _, _, samples, _ in trained[done:]} == {64}


def test_folds_search_by_themselves(tmp_path, trained):
    tried, _ = explore(tmp_path)
    assert [m.genome for m in tried[0, "random"]] != [m.genome for m in tried[1, "random"]]
    alone, _ = explore(tmp_path / "alone", folds=1)
    assert alone == {which: members for which, members in tried.items() if which[0] == 0}


def test_a_line_a_generation_says_where_both_stand(tmp_path, trained, capsys):
    _, results = explore(tmp_path, folds=1)
    lines = [line for line in capsys.readouterr().err.splitlines() if "generation" in line]
    assert len(lines) == 3
    assert lines[0].startswith("  search@made_up: generation 1 of 3, best auroc so far: evolved 0.")
    assert "; random 0." in lines[0] and lines[0].count(" M MACs, hypervolume 0.") == 2
    assert "; about " in lines[0] and lines[2].endswith("about 0 s left")
    best = max(found["auroc"] for (_, _, rung), found in results.items() if rung == 1)
    assert f"{best:.3f} at" in lines[2]


def test_a_proven_pre_filter_sees_generation_0_and_then_chooses(tmp_path, trained):
    def prefilters(proxy):
        return [Prefilter(proxy, draws=4, seed=1, fold=0)]

    def wide(genome):
        return sum(stage["width"] for stage in SPACE.architecture(genome)["stages"])

    def networks(found):
        tried, _ = found
        return [SPACE.identity(m.genome) for m in tried[0, "evolved"] if m.rung == 0]

    one = {"folds": 1, "rungs": [{"networks": 10, "samples": 16}, {"networks": 4, "samples": 32}]}
    plain = networks(explore(tmp_path, **one))
    right, wrong = prefilters(wide), prefilters(lambda genome: -wide(genome))
    assert networks(explore(tmp_path, **one, choosers=wrong)) == plain
    filtered = networks(explore(tmp_path, **one, choosers=right))
    (acted, tau), (failed, _) = (one[0].proof([]) for one in (right, wrong))
    assert (acted, failed) == (True, False)
    assert tau.count == 10
    assert filtered[:10] == plain[:10] and filtered[10:] != plain[10:]
