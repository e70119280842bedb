"""The report page: self-contained, escaped, small, the same bytes twice, nothing missing breaks it."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from cxr import artifacts, report, seeding
from cxr.datasets._source import Source
from cxr.metrics import calibration, figures
from cxr.report import elements, method, results
from tests.report import cases

HOSTILE = '<script>alert("x")</script>&"quoted\''


STUDIES = pytest.mark.parametrize(
    "study",
    [cases.study(), cases.whole(), cases.whole(folds=5)],
    ids=["two models", "whole method", "five folds"],
)


@STUDIES
def test_the_page_loads_and_runs_nothing(study):
    page = report.page(study)
    reader = cases.Reader(page)
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


@STUDIES
def test_links_within_the_page_lead_somewhere(study):
    reader = cases.Reader(report.page(study))
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in reader.all("a")} <= set(ids)
    assert {attrs["aria-labelledby"] for attrs in reader.all("section")} <= set(ids)


def test_hostile_names_are_text_everywhere():
    models = [
        cases.model(HOSTILE, (HOSTILE, "b"), folds=2),
        cases.model("m", (HOSTILE, "b"), loss="bce"),
    ]
    part = {"images": 10, "groups": 5, "labels": {HOSTILE: 4}}
    source = Source(
        title=HOSTILE, url="javascript:alert(1)", citation=HOSTILE, licence=HOSTILE,
        redistributable=True, images={}, sha256={}, hint="",
    )  # fmt: skip
    study = cases.study(
        models, name=HOSTILE, params={HOSTILE: HOSTILE}, datasets=[source],
        split={"folds": {"fold_0": {"train": part}}},
    )  # fmt: skip
    page = report.page(study)
    reader = cases.Reader(page)
    assert "<script" not in page and not reader.all("script")
    assert reader.text.count('<script>alert("x")</script>') > 10
    assert "javascript:" not in [attrs.get("href", "")[:11] for attrs in reader.all("a")]


def test_the_same_bytes_twice():
    assert report.page(cases.whole(5)) == report.page(cases.whole(5))


def test_eight_models_with_real_figures_stay_under_three_megabytes(tmp_path):
    rng = seeding.stream(1, "size")
    truth = np.eye(14)[rng.integers(0, 14, 1124)]
    scores = rng.random((1124, 14)) + truth / 2
    names = [f"finding_{i}" for i in range(14)]
    bins = calibration.reliability(scores[:, 0] / 2, truth[:, 0] == 1)
    drawn = {
        "roc": figures.roc(truth, scores, names, dict.fromkeys([*names, "macro"], cases.interval(0.8)), title="t"),
        "confusion": figures.confusion(np.ones((14, 14), int), names, title="t"),
        "reliability": figures.reliability(bins, title="t", claim="score"),
    }  # fmt: skip
    for name, figure in drawn.items():
        artifacts.write_figure(tmp_path / name, figure, dpi=130)
    pictures = {name: (tmp_path / name).read_bytes() for name in drawn}
    pictures["history"] = pictures["reliability"]
    assert sum(map(len, pictures.values())) * 8 * 4 / 3 > 2_500_000  # what they take as they are
    result = cases.result(names)
    models = [
        report.Model(name=f"m{i}", result=result, figures=pictures, reliability=[], subgroups=[])
        for i in range(8)
    ]
    search, pruning = (
        dataclasses.replace(made, figures=dict.fromkeys(names, pictures["roc"]))
        for made, names in (
            (cases.search(5), ["front", "progress"]),
            (cases.pruning(5), ["front", "channels", "contest"]),
        )
    )
    curves = {"history": pictures["history"]}
    cuts = [dataclasses.replace(cut, figures=curves) for cut in pruning.finished]
    pruning = dataclasses.replace(pruning, finished=cuts)
    whole = cases.study(models, searches=[search], prunings=[pruning])
    assert len(report.page(whole).encode()) < 3_000_000


def test_figures_are_embedded_pictures_with_words_for_those_who_cannot_see_them():
    reader = cases.Reader(report.page(cases.study()))
    images = reader.all("img")
    assert len(images) == 1 + 2 * 2 + 2
    for attrs in images:
        assert len(attrs["alt"]) > 20
        picture = Image.open(io.BytesIO(base64.b64decode(attrs["src"].split(",", 1)[1])))
        assert (str(picture.width), str(picture.height)) == (attrs["width"], attrs["height"])


@STUDIES
def test_the_page_is_in_english_and_every_table_has_caption_and_scopes(study):
    reader = cases.Reader(report.page(study))
    assert reader.all("html") == [{"lang": "en"}]
    assert len(reader.all("caption")) == len(reader.all("table")) > 3
    assert all(attrs["scope"] in ("row", "col") for attrs in reader.all("th"))
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in reader.all("div") if attrs.get("class") == "scroll")  # fmt: skip
    assert [attrs["name"] for attrs in reader.all("meta") if attrs.get("name") == "viewport"]


def test_colours_have_enough_contrast_in_both_palettes():
    style = report.page(cases.study()).split("<style>")[1].split("</style>")[0]
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
    text = cases.Reader(report.page(cases.study())).text
    assert "Research use only. Not a medical device" in text
    promise = re.sub(r"\s*`\s*", "", method.PROMISE)
    assert promise[:60] in text
    assert "never equal to the CPU." in text


def test_only_the_highest_of_each_column_is_marked():
    page = report.page(cases.study())
    assert page.count('class="best"') == 3
    assert '<strong class="best">' not in report.page(cases.study([cases.model("alone")]))


def test_the_chance_line_stands_under_the_results():
    assert "chance 0.450 – 0.500" in cases.Reader(report.page(cases.study())).text


def test_the_control_stands_under_chance_and_by_label_in_the_validation():
    summary = {"images": 12, "patients": 7, "findings": [], "control": cases.control()}
    text = cases.Reader(report.page(cases.study(validation=summary))).text
    row = "control: borders and file statistics alone – – 0.836 [0.816, 0.856] – – –"
    assert text.index("chance 0.450") < text.index(row)
    assert (
        "over 1,200 images in 5 folds by patient (borders alone 0.819, files alone 0.707)" in text
    )
    assert text.index("normal 0.836 [0.816, 0.856] 90 1,200") < text.index("effusion 0.736 [")


def test_a_control_that_was_not_measured_or_has_no_value_is_left_out():
    nothing = {"value": None, "low": None, "high": None}
    empty = cases.control() | {"auroc": nothing, "borders": None, "files": None, "labels": {}}
    for control in ({}, {"control": None}, {"control": empty}):
        summary = {"images": 12, "patients": 7, "findings": [], **control}
        text = cases.Reader(report.page(cases.study(validation=summary))).text
        assert "control" not in text.lower()


def test_a_split_by_image_is_warned_of_at_the_top():
    split = cases.study().split | {"protocol": "by_image", "warnings": [f"cross {HOSTILE}"]}
    study = cases.study(split=split)
    study.params["split"]["protocol"] = "by_image"
    page = report.page(study)
    text = cases.Reader(page).text
    top = text[: text.index("Test results")]
    assert "Warning: split by image: images of one patient stand on both sides." in top
    assert f"Warning: cross {HOSTILE}." in top and "<script" not in page
    assert page.count('class="notice"') == 3
    assert "Patients never cross parts" not in text and "Images were divided one by one" in text
    assert "Part Images Groups" in text


def test_the_split_s_own_words_are_not_said_twice_and_an_honest_split_has_none():
    words = "split by image: images of one patient stand on both sides; 9 patients cross"
    split = {"protocol": "by_image", "warnings": [words]}
    assert results.split_warnings(split) == [f"Warning: {words}."]
    assert results.split_warnings({"protocol": "by_patient", "warnings": []}) == []
    page = report.page(cases.study())
    assert page.count('class="notice"') == 1 and "Patients never cross parts" in page


def test_search_and_pruning_stand_behind_the_results():
    sections = [
        [attrs["id"] for attrs in cases.Reader(report.page(study)).all("section")]
        for study in (cases.whole(), cases.whole(searches=[]), cases.whole(prunings=[]))
    ]
    rest = ["models", "data", "protocol", "reproduce"]
    assert sections == [
        ["results", "search", "pruning", *rest],
        ["results", "pruning", *rest],
        ["results", "search", *rest],
    ]


def test_the_table_says_what_each_model_is_and_what_pruning_changed():
    text = cases.Reader(report.page(cases.whole())).text
    words = "searched-pruned_50 searched pruned to 49 % of its MACs by evolution, which won the"
    row = text[text.index(words) : text.index("searched-uniform_50 searched pruned uniformly")]
    assert row.count("−0.010 to parent") == 3 and "9.8 M 49 % of parent" in row
    row = text[text.index("random the best of the random networks") :][:140]
    assert "to parent" not in row
    assert "and what pruning left of the parent's MACs." in text


def test_a_pruned_model_without_its_parent_has_no_difference():
    models = [cases.model("searched-pruned_50"), cases.model("resnet10t")]
    text = cases.Reader(report.page(cases.whole(models=models))).text
    assert "to parent" not in text and "49 % of parent" in text


@pytest.mark.parametrize(("folds", "said"), [(1, False), (5, True)])
def test_costs_of_several_networks_are_those_of_the_largest_and_it_is_said(folds, said):
    text = cases.Reader(report.page(cases.whole(folds))).text
    assert ("parameters, MACs and file are those of the largest" in text) is said
    assert ("5 networks, one per fold, at most 399 k parameters" in text) is said


EXPORT = {"onnx_bytes": 1_234_567, "opset": 18, "folds": 1, "agrees": True}
INT8 = {
    "float32": {"onnx_bytes": 1_234_567, "val_auroc": 0.912, "val_accuracy": 0.8},
    "int8": {"onnx_bytes": 345_000, "val_auroc": 0.9, "val_accuracy": None},
}


@pytest.mark.parametrize(
    ("export", "words"),
    [
        (EXPORT, "Exported to ONNX: 1.23 MB, opset 18; its answers were checked against PyTorch's and agree."),
        ({**EXPORT, "folds": 5}, "Exported to ONNX: 5 files, one per fold, of at most 1.23 MB, opset 18; its"),
        ({**EXPORT, "files_with_maps": 1},
         "and agree. Second output: class activation maps, what each place of the image adds to each "
         "label's score."),
        ({**EXPORT, "files_with_maps": 0},
         "and agree. It has no class activation maps; metadata.json beside it says why."),
        ({**EXPORT, "folds": 5, "files_with_maps": 3}, "Second output of 3 of the files: class"),
        ({**EXPORT, "int8": INT8},
         "and agree. In whole numbers of 8 bits too (int8): 345 kB, on val AUROC 0.900 instead of "
         "0.912 and accuracy – instead of 0.800."),
        ({**EXPORT, "folds": 5, "int8": INT8}, "(int8): at most 345 kB, on val AUROC 0.900 instead of "
         "0.912 and accuracy – instead of 0.800, in the mean of the folds."),
    ],
)  # fmt: skip
def test_an_exported_model_says_so(export, words):
    text = cases.Reader(report.page(cases.whole(exports={"searched-pruned_50": export}))).text
    assert words in text and text.count("Exported to ONNX") == 1


def test_hidden_words_in_a_table_cannot_widen_the_page():
    """An absolute box leaves what scrolls unless that is its frame: a phone then scrolls the page."""
    style = report.page(cases.study())
    assert re.search(r"\.hidden \{ position: absolute", style)
    assert re.search(r"\.scroll \{ position: relative", style)


def test_what_was_not_made_is_left_out():
    bare = cases.study(
        [cases.model("m", figures=())], comparison=None, datasets=[], split={}, figures={},
        params={"study": "toy"},
    )  # fmt: skip
    reader = cases.Reader(report.page(bare))
    assert not reader.all("img")
    assert [attrs["id"] for attrs in reader.all("section")] == [
        "results", "models", "protocol", "reproduce",
    ]  # fmt: skip


def test_undefined_values_are_dashes():
    model = cases.model("m")
    model.result["auroc"] = {"value": None, "low": None, "high": None}
    assert "None" not in cases.Reader(report.page(cases.study([model, cases.model("other")]))).text


def test_resamples_left_out_are_said():
    model = cases.model("m")
    model.result["bootstrap"]["left_out"] = {"effusion": 7, "auroc": 3}
    assert "left out: at most 7 for m." in cases.Reader(report.page(cases.study([model]))).text


def test_folds_are_counted_as_ranges():
    def part(n):
        return {"images": n, "groups": n, "labels": {"normal": n}}

    folds = {f"fold_{i}": {"train": part(10 + i), "test": part(3)} for i in (0, 1, 10, 2)}
    text = cases.Reader(report.page(cases.study(split={"folds": folds}))).text
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
    page = report.page(cases.study(validation=summary))
    text = cases.Reader(page).text
    assert "1,200 images of 700 patients were checked" in text
    assert "2 kinds of findings, 1 of them critical and accepted" in text
    assert f"no patient critical 3 no_patient means Accepted: {HOSTILE}" in text
    assert "odd size info 3 odd_size means odd_size cure" in text
    assert "0 of 1 rules of the table hold" in text and "broken 2 times" in text
    assert "<script" not in page


def test_no_findings_are_said_too():
    summary = {"gate": "passed", "images": 12, "patients": 7, "findings": []}
    text = cases.Reader(report.page(cases.study(validation=summary))).text
    assert "12 images of 7 patients were checked before training: nothing was found." in text


def test_flat_figures_shrink_and_grey_ones_stay_as_they_are():
    noisy = cases.png(60)
    assert len(elements.compact(noisy)) < len(noisy)
    assert elements.compact(noisy) == elements.compact(noisy)
    buffer = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(9, 0)).save(buffer, format="png")
    assert elements.compact(buffer.getvalue()) == buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "shape"), [((90, 40), "wide"), ((40, 40), None), ((40, 60), "tall")]
)
def test_a_wide_figure_scrolls_on_a_phone_and_is_reachable_by_keyboard(size, shape):
    buffer = io.BytesIO()
    Image.new("L", size).save(buffer, format="png")
    reader = cases.Reader(elements.figure(buffer.getvalue(), alt="words", caption="c"))
    (figure,), (card, *_) = reader.all("figure"), reader.all("div")
    assert figure.get("class") == shape
    reach = {"tabindex": "0", "role": "region", "aria-label": "words"} if shape == "wide" else {}
    assert card == {"class": "card", **reach}


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
