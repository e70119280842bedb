"""cards: one tree for programs, what the report's reader needs beside it, nothing that others said wrong."""

import dataclasses
import json

from cxr import artifacts, report
from cxr.report import cards
from tests.report import cases
from tests.report.test_subgroups import ROWS

PARAMS = {
    "study": "toy", "seed": 1, "ingest": {"datasets": ["phantom"]},
    "split": {"folds": 1, "protocol": "by_image", "test": "in_turn"},
    "preprocess": {"steps": [{"name": "resize", "size_px": 64}]},
    "transfer": {"runs": ["small"], "recipes": {"small": {"backbone": "resnet10t", "calibration": "temperature"}}},
}  # fmt: skip


def study(**changes):
    models = [dataclasses.replace(cases.model("small"), subgroups=ROWS), cases.model("large")]
    return cases.study(models, params=PARAMS, **changes)


def test_a_card_holds_figures_groups_data_and_costs():
    one = study(validation={"control": {"auroc": {"value": 0.6, "low": 0.5, "high": 0.7}}})
    found = cards.card(one, one.models[0])
    assert found["metrics"]["auroc"] == one.models[0].result["auroc"]
    assert found["labels"]["effusion"]["support"] == 9
    assert [x["group"] for x in found["groups"]] == ["F", "M", "one"]  # of all labels together
    assert found["data"][0]["licence"] == "CC0-1.0"
    assert found["evaluation"]["control_auroc"]["value"] == 0.6
    assert (found["network"]["macs"], found["network"]["kind"]) == (27_000_000, "trained")
    assert json.loads(artifacts.canonical_json(found)) == found


def test_limits_are_those_of_the_data_the_split_and_the_recipe():
    one = study(split={"protocol": "by_image"})
    said = " ".join(cards.card(one, one.models[0])["limits"])
    assert "drawn by code" in said and "Warning: split by image" in said
    assert "are calibrated" in said
    assert "not calibrated" in " ".join(cards.card(one, one.models[1])["limits"])


def test_the_page_shows_what_it_did_not_say_yet():
    said = cases.Reader(report.page(study())).text
    assert "Model card Intended use research on the classification of chest X-rays" in said
    assert "Toy set (Nobody 2020): licence CC0-1.0" in said
    assert "reports/compare/cards/small.json" in said
