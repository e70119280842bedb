"""The report page: self-contained, escaped, small, the same bytes twice, nothing missing breaks it."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from cxr import artifacts, report, seeding
from cxr.datasets._source import Source
from cxr.metrics import calibration, figures
from cxr.report import elements, method

HOSTILE = '<script>alert("x")</script>&"quoted\''


def _value(value, gap=0.02):
    return {"value": value, "low": value - gap, "high": value + gap}


def _result(labels, *, level=0.8, loss="cross_entropy", folds=1):
    groups = {"images": 40, "accuracy": level, "macro_f1": level, "auroc": None}
    return {
        "model": "m", "backbone": "resnet10t", "labels": list(labels), "loss": loss, "images": 1240,
        "patients": 600, "folds": folds, "confidence": 0.95, "accuracy": _value(level),
        "balanced_accuracy": _value(level), "macro_f1": _value(level), "auroc": _value(level + 0.1),
        "per_label": {
            name: {"support": 9, "precision": None, "recall": 0.5, "f1": 0.4, "auroc": _value(0.9)}
            for name in labels
        },
        "per_fold": {str(i): groups for i in range(folds)}, "per_source": {"one": groups},
        "confusion": np.eye(len(labels), dtype=int).tolist() if loss == "cross_entropy" else None,
        "calibration": {"ece": 0.04, "bins": 15, "brier": 0.3},
        "thresholds": None if loss == "cross_entropy" else {name: [0.3] * folds for name in labels},
        "chance": {"accuracy": 0.45, "auroc": 0.5}, "bootstrap": {"samples": 1000, "left_out": {}},
        "parameters": 399_459, "macs": 27_000_000, "weights_bytes": 1_600_000,
    }  # fmt: skip


def _png(side=40):
    shape = (side, side * 2, 3)
    pixels = seeding.stream(1, "png").integers(0, 256, shape).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    return buffer.getvalue()


def _model(name, labels=("normal", "effusion"), figures=("roc", "confusion"), **changes):
    pictures = {key: _png() for key in figures}
    row = {"from": 0.6, "to": 0.7, "count": 3, "mean_score": 0.65, "came_true": 0.5}
    return report.Model(
        name=name, result=_result(labels, **changes), figures=pictures, reliability=[row]
    )


def _study(models=None, **changes):
    source = Source(
        title="Toy set", url="https://example.org/toy", citation="Nobody 2020", licence="CC0-1.0",
        redistributable=True, images={}, sha256={}, hint="",
    )  # fmt: skip
    part = {"images": 10, "groups": 5, "labels": {"normal": 4, "effusion": 6}}
    fields = {
        "name": "toy",
        "params": {"study": "toy", "seed": 1, "split": {"folds": 1}},
        "models": models or [_model("small"), _model("large", level=0.7)],
        "sort_by": "auroc",
        "comparison": _png(),
        "datasets": [source],
        "split": {"folds": {"fold_0": {"train": part, "test": part}}},
        "validation": {},
        "figures": {"portrait": _png(), "split": _png()},
    }
    return report.Study(**{**fields, **changes})


class _Reader(HTMLParser):
    """Notes elements, attributes and the words; fails on an element closed out of order."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_loads_and_runs_nothing():
    page = report.page(_study())
    reader = _Reader(page)
    assert not reader.all("script") and not reader.all("link") and not reader.all("iframe")
    references = [
        attrs[key]
        for _, attrs in reader.tags
        for key in ("src", "href", "srcset", "action")
        if key in attrs
    ]
    assert references and all(ref.startswith(("#", "data:image/png;base64,")) for ref in references)
    assert "@import" not in page and "url(" not in page
    assert not [attrs for _, attrs in reader.tags if any(key.startswith("on") for key in attrs)]
    assert "default-src 'none'" in page


def test_links_within_the_page_lead_somewhere():
    reader = _Reader(report.page(_study()))
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in reader.all("a")} <= set(ids)
    assert {attrs["aria-labelledby"] for attrs in reader.all("section")} <= set(ids)


def test_hostile_names_are_text_everywhere():
    models = [_model(HOSTILE, (HOSTILE, "b"), folds=2), _model("m", (HOSTILE, "b"), loss="bce")]
    part = {"images": 10, "groups": 5, "labels": {HOSTILE: 4}}
    source = Source(
        title=HOSTILE, url="javascript:alert(1)", citation=HOSTILE, licence=HOSTILE,
        redistributable=True, images={}, sha256={}, hint="",
    )  # fmt: skip
    study = _study(
        models, name=HOSTILE, params={HOSTILE: HOSTILE}, datasets=[source],
        split={"folds": {"fold_0": {"train": part}}},
    )  # fmt: skip
    page = report.page(study)
    reader = _Reader(page)
    assert "<script" not in page and not reader.all("script")
    assert reader.text.count('<script>alert("x")</script>') > 10
    assert "javascript:" not in [attrs.get("href", "")[:11] for attrs in reader.all("a")]


def test_the_same_bytes_twice():
    assert report.page(_study()) == report.page(_study())


def test_eight_models_with_real_figures_stay_under_three_megabytes(tmp_path):
    rng = seeding.stream(1, "size")
    truth = np.eye(14)[rng.integers(0, 14, 1124)]
    scores = rng.random((1124, 14)) + truth / 2
    names = [f"finding_{i}" for i in range(14)]
    bins = calibration.reliability(scores[:, 0] / 2, truth[:, 0] == 1)
    drawn = {
        "roc": figures.roc(truth, scores, names, dict.fromkeys([*names, "macro"], _value(0.8)), title="t"),
        "confusion": figures.confusion(np.ones((14, 14), int), names, title="t"),
        "reliability": figures.reliability(bins, title="t", claim="score"),
    }  # fmt: skip
    for name, figure in drawn.items():
        artifacts.write_figure(tmp_path / name, figure, dpi=130)
    pictures = {name: (tmp_path / name).read_bytes() for name in drawn}
    pictures["history"] = pictures["reliability"]
    assert sum(map(len, pictures.values())) * 8 * 4 / 3 > 2_500_000  # what they take as they are
    result = _result(names)
    models = [
        report.Model(name=f"m{i}", result=result, figures=pictures, reliability=[])
        for i in range(8)
    ]
    assert len(report.page(_study(models)).encode()) < 2_500_000


def test_figures_are_embedded_pictures_with_words_for_those_who_cannot_see_them():
    reader = _Reader(report.page(_study()))
    images = reader.all("img")
    assert len(images) == 1 + 2 * 2 + 2
    for attrs in images:
        assert len(attrs["alt"]) > 20
        picture = Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",", 1)[1])))
        assert (str(picture.width), str(picture.height)) == (attrs["width"], attrs["height"])


def test_the_page_is_in_english_and_every_table_has_caption_and_scopes():
    reader = _Reader(report.page(_study()))
    assert reader.all("html") == [{"lang": "en"}]
    assert len(reader.all("caption")) == len(reader.all("table")) > 3
    assert all(attrs["scope"] in ("row", "col") for attrs in reader.all("th"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in reader.all("div") if attrs.get("class") == "scroll")  # fmt: skip
    assert [attrs["name"] for attrs in reader.all("meta") if attrs.get("name") == "viewport"]


def test_colours_have_enough_contrast_in_both_palettes():
    style = report.page(_study()).split("<style>")[1].split("</style>")[0]
    palettes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in style.split("@media print")[0].split(":root")[1:]
    ]  # fmt: skip
    assert len(palettes) == 2
    for palette in palettes:
        pairs = [(ink, ground) for ink in ("ink", "soft", "accent") for ground in ("paper", "wash")]
        for ink, ground in [*pairs, ("warn", "warn-wash")]:
            assert _contrast(palette[ink], palette[ground]) >= 4.5, (ink, ground)


def _contrast(first, second):
    """Return the contrast ratio of WCAG 2.1."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


def test_it_says_what_it_is_not_for_and_what_is_promised():
    text = _Reader(report.page(_study())).text
    assert "Research use only. Not a medical device" in text
    promise = re.sub(r"\s*`\s*", "", method.PROMISE)
    assert promise[:60] in text
    assert "never equal to the CPU." in text


def test_only_the_highest_of_each_column_is_marked():
    page = report.page(_study())
    assert page.count('class="best"') == 3
    assert '<strong class="best">' not in report.page(_study([_model("alone")]))


def test_the_chance_line_stands_under_the_results():
    assert "chance 0.450 – 0.500" in _Reader(report.page(_study())).text


def test_what_was_not_made_is_left_out():
    bare = _study(
        [_model("m", figures=())], comparison=None, datasets=[], split={}, figures={},
        params={"study": "toy"},
    )  # fmt: skip
    reader = _Reader(report.page(bare))
    assert not reader.all("img")
    assert [attrs["id"] for attrs in reader.all("section")] == [
        "results", "models", "protocol", "reproduce",
    ]  # fmt: skip


def test_undefined_values_are_dashes():
    model = _model("m")
    model.result["auroc"] = {"value": None, "low": None, "high": None}
    assert "None" not in _Reader(report.page(_study([model, _model("other")]))).text


def test_resamples_left_out_are_said():
    model = _model("m")
    model.result["bootstrap"]["left_out"] = {"effusion": 7, "auroc": 3}
    assert "left out: at most 7 for m." in _Reader(report.page(_study([model]))).text


def test_folds_are_counted_as_ranges():
    def part(n):
        return {"images": n, "groups": n, "labels": {"normal": n}}

    folds = {f"fold_{i}": {"train": part(10 + i), "test": part(3)} for i in (0, 1, 10, 2)}
    text = _Reader(report.page(_study(split={"folds": folds}))).text
    assert "train 10–20 10–20 10–20" in text and "test 3 3 3" in text
    assert text.index("fold_2") < text.index("fold_10")


def _finding(name, **changes):
    row = {"finding": name, "severity": "critical", "count": 3, "accepted": None}
    return row | {"meaning": f"{name} means", "cure": f"{name} cure"} | changes


def test_findings_stand_with_the_reason_they_were_accepted_for():
    rules = [{"rows": "all", "rule": "unique", "success": False, "unexpected": 2}]
    summary = {
        "gate": "passed", "images": 1200, "patients": 700, "great_expectations": rules,
        "findings": [_finding("no_patient", accepted=HOSTILE), _finding("odd_size", severity="info")],
    }  # fmt: skip
    page = report.page(_study(validation=summary))
    text = _Reader(page).text
    assert "1,200 images of 700 patients were checked" in text
    assert "2 kinds of findings, 1 of them critical and accepted" in text
    assert f"no patient critical 3 no_patient means Accepted: {HOSTILE}" in text
    assert "odd size info 3 odd_size means odd_size cure" in text
    assert "0 of 1 rules of the table hold" in text and "broken 2 times" in text
    assert "<script" not in page


def test_no_findings_are_said_too():
    summary = {"gate": "passed", "images": 12, "patients": 7, "findings": []}
    text = _Reader(report.page(_study(validation=summary))).text
    assert "12 images of 7 patients were checked before training: nothing was found." in text


def test_flat_figures_shrink_and_grey_ones_stay_as_they_are():
    noisy = _png(60)
    assert len(elements.compact(noisy)) < len(noisy)
    assert elements.compact(noisy) == elements.compact(noisy)
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(9, 0)).save(buffer, format="png")
    assert elements.compact(buffer.getvalue()) == buffer.getvalue()


def test_only_html_goes_unescaped():
    assert elements.tag("p", "<b>", elements.Html("<i>x</i>"), title='"') == (
        '<p title="&quot;">&lt;b&gt;<i>x</i></p>'
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [(399_459, "399\u202fk"), (27_000_000, "27\u202fM"), (1.81e9, "1.81\u202fG"), (7, "7")],
)
def test_large_numbers_are_scaled(value, words):
    assert elements.scaled(value) == words
