"""The names of cuts: made and read, and refused with what is known."""

import pytest

from cxr.pruning import methods


def test_a_cut_is_named_by_its_method_and_its_percent():
    assert methods.cut("uniform", 0.5) == "uniform_50"
    assert methods.cut("bn_scale", 0.07) == "bn_scale_7"
    assert methods.cut(methods.PICK, 0.29) == "pruned_29"  # 0.29 * 100 is 28.999999999999996


@pytest.mark.parametrize("percent", [1, 15, 29, 50, 57, 99])
def test_a_name_is_read_as_it_was_made(percent):
    for method in (methods.PICK, *methods.METHODS):
        assert methods.parse(methods.cut(method, percent / 100)) == (method, percent)


@pytest.mark.parametrize("share", [0.0, 1.0, 0.004, 0.505, -0.5, 50.0])
def test_a_share_is_a_whole_number_of_per_cent(share):
    with pytest.raises(ValueError, match=f"the share {share:g} must be a whole number of per cent"):
        methods.percent(share)


@pytest.mark.parametrize(
    "name", ["pruned", "uniform_", "uniform_050", "uniform_0", "uniform_100", "uniform_5.0", "l1_50", "_50", "uniform_٥", "uniform_-5"]
)  # fmt: skip
def test_another_name_is_refused_with_what_is_known(name):
    with pytest.raises(ValueError, match="is no cut: write <method>_<percent") as told:
        methods.parse(name)
    assert repr(name) in str(told.value)
    assert str(told.value).endswith(
        "methods are pruned, evolved, uniform, global, bn_scale, taylor, reconstruction, random, sensitivity"
    )


def test_every_method_has_its_words_and_the_pick_is_none_of_them():
    assert list(methods.WORDS) == list(methods.METHODS)
    assert len(set(methods.WORDS.values())) == len(methods.METHODS)
    assert methods.PICK not in methods.METHODS
