"""Stages, metrics and findings become tables that people can read."""

from __future__ import annotations

from flows import summaries
from flows.summaries import Ended


def test_stages_stand_with_outcome_time_and_hashes() -> None:
    ended = [
        Ended(stage="a", outcome="ran", seconds=1.26, outputs={"data/a": "0123456789abcdef.dir"}),
        Ended(stage="b@x", outcome="waiting", seconds=0.0, outputs={}),
    ]
    assert summaries.stages(ended).splitlines() == [
        "| stage | outcome | seconds | outputs |",
        "| --- | --- | --- | --- |",
        "| a | ran | 1.3 | `data/a` 0123456789ab |",
        "| b@x | waiting | 0.0 |  |",
    ]


def test_metrics_become_a_table() -> None:
    found = {"a": {"auroc": {"value": 0.91234, "low": 0.8}, "macs": 12}, "b": {"macs": 3}, "n": 4}
    assert summaries.metrics(found).splitlines() == [
        "| model | auroc.low | auroc.value | macs |",
        "| --- | --- | --- | --- |",
        "| a | 0.8 | 0.9123 | 12 |",
        "| b |  |  | 3 |",
    ]


def test_a_number_that_differs_tells_by_how_much() -> None:
    before = {"a": {"macs": 10, "auroc": 0.5, "name": "x"}, "c": {"macs": 1}}
    found = {"a": {"macs": 12, "auroc": 0.5, "name": "y"}, "b": {"macs": 3}}
    assert summaries.metrics(found, before).splitlines() == [
        "| model | auroc | macs | name |",
        "| --- | --- | --- | --- |",
        "| a | 0.5 | 12 (+2) | y |",
        "| b |  | 3 |  |",
        "",
        "No longer there: c",
    ]


def test_findings_become_a_table_and_their_bars_no_columns() -> None:
    text = 'finding,severity,image,detail\nodd_size,warning,a.png,"4 x 4 | tiny"\n'
    assert summaries.findings(text).splitlines() == [
        "| finding | severity | image | detail |",
        "| --- | --- | --- | --- |",
        "| odd_size | warning | a.png | 4 x 4 \\| tiny |",
    ]
    assert summaries.findings("finding,severity,image,detail\n") == "validate found nothing."
