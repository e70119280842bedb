"""Figures: drawn for few and many labels, the same bytes twice, no formula from a label's name."""

import numpy as np
import pytest

from cxr import artifacts, seeding
from cxr.metrics import calibration, figures

_VALUE = {"value": 0.8, "low": 0.7, "high": 0.9}


def _arrays(labels):
    rng = seeding.stream(1, "figures", labels)
    truth = np.eye(labels)[np.arange(60) % labels]
    return truth, rng.random((60, labels)) + truth / 2


def _bytes(figure, folder, name):
    artifacts.write_figure(folder / name, figure, dpi=60)
    return (folder / name).read_bytes()


@pytest.mark.parametrize("labels", [2, 14])
def test_roc_names_every_label_and_repeats_to_the_byte(tmp_path, labels):
    truth, scores = _arrays(labels)
    names = [f"label_{i}$x" for i in range(labels)]
    aurocs = dict.fromkeys([*names, "macro"], _VALUE)
    figure = figures.roc(truth, scores, names, aurocs, title="t")
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words[0] == r"label 0\$x  0.800 (0.700–0.900)"
    assert len(words) == labels + 2
    again = figures.roc(truth, scores, names, aurocs, title="t")
    assert _bytes(figure, tmp_path, "a.png") == _bytes(again, tmp_path, "b.png")


def test_roc_leaves_out_a_label_without_a_curve():
    truth, scores = _arrays(3)
    truth[:, 2] = 0
    aurocs = {"a": _VALUE, "b": _VALUE, "c": dict.fromkeys(_VALUE), "macro": _VALUE}
    figure = figures.roc(truth, scores, "abc", aurocs, title="t")
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [word[0] for word in words] == ["a", "b", "m", "c"]  # c is for chance


def test_confusion_shows_counts_and_row_shares(tmp_path):
    figure = figures.confusion([[3, 1], [0, 0]], ["No_findings", "b"], title="t")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["3\n75%", "1\n25%", "0\n0%", "0\n0%"]
    assert figure.axes[0].get_yticklabels()[0].get_text() == "No\nfindings\nn = 4"
    assert _bytes(figure, tmp_path, "a.png").startswith(b"\x89PNG")


def test_decisions_show_what_became_of_each_label(tmp_path):
    figure = figures.decisions([[[3, 1], [2, 6]], [[0, 0], [0, 9]]], ["Effusion", "b_c"], title="t")
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["3\n75%", "1\n25%", "2\n25%", "6\n75%", "0\n0%", "0\n0%", "0\n0%", "9\n100%"]
    assert [text.get_fontweight() for text in figure.axes[0].texts[:4]] == [
        "bold",
        "normal",
        "normal",
        "bold",
    ]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Effusion", "b c"]
    assert _bytes(figure, tmp_path, "a.png") == _bytes(figure, tmp_path, "b.png")


def test_reliability_shows_its_error(tmp_path):
    result = calibration.reliability(np.array([0.9, 0.1, 0.6]), np.array([True, False, False]))
    figure = figures.reliability(result, title="t", claim="score")
    assert f"ECE {result.ece:.3f}" in [text.get_text() for text in figure.axes[0].texts]
    assert _bytes(figure, tmp_path, "a.png").startswith(b"\x89PNG")


def test_tradeoff_draws_what_is_defined(tmp_path):
    undefined = dict.fromkeys(_VALUE)
    figure = figures.tradeoff(
        ["one", "two"],
        {"parameters": [1e5, 1e6], "MACs": [1e7, 1e8]},
        {"AUROC": [_VALUE, undefined]},
        {"AUROC": 0.5},
        parents={},
    )
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["chance", "one"]
    assert _bytes(figure, tmp_path, "a.png").startswith(b"\x89PNG")


def test_tradeoff_gives_a_family_one_colour_and_joins_it(tmp_path):
    names = ["other", "net-pruned", "net", "orphan-pruned"]
    figure = figures.tradeoff(
        names,
        {"MACs": [1e6, 2e6, 4e6, 3e6]},
        {"AUROC": [{**_VALUE, "value": 0.8 + i / 100} for i in range(4)]},
        {"AUROC": 0.5},
        parents={"net-pruned": "net", "orphan-pruned": "gone"},
    )
    axis = figure.axes[0]
    colours = {
        bar.get_label(): bar.lines[0].get_color() for bar in axis.containers if bar.get_label()
    }
    assert colours["net"] == colours["net-pruned"]
    assert len(set(colours.values())) == 3
    joined = [line for line in axis.lines if line.get_linestyle() == ":"]
    assert len(joined) == 1
    assert joined[0].get_xydata().ravel().tolist() == pytest.approx([2e6, 0.81, 4e6, 0.82])
    assert _bytes(figure, tmp_path, "a.png").startswith(b"\x89PNG")


def test_tradeoff_takes_names_as_they_stand(tmp_path):
    names = ["$x$" + "long" * 20, "b"]
    figure = figures.tradeoff(
        names, {"MACs": [1e6, 2e6]}, {"AUROC": [_VALUE] * 2}, {"AUROC": 0.5}, parents={}
    )
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["chance", r"\$x\$" + "long" * 20, "b"]
    assert _bytes(figure, tmp_path, "a.png").startswith(b"\x89PNG")
