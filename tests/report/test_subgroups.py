"""subgroups: groups with intervals, the worst named, none where an attribute has one group."""

import dataclasses

from cxr import report
from cxr.report import subgroups
from tests.report import cases


def group(attribute, name, auroc=None, to_all=None, half=0.1, note=None, **changes):
    found = {
        "attribute": attribute,
        "group": name,
        "label": None,
        "images": 69,
        "patients": 33,
        "note": note,
    }
    for key, value in (("auroc", auroc), ("auroc_to_all", to_all)):
        found |= {key: value}
        found |= {
            f"{key}_{end}": None if value is None else value + side * half
            for end, side in (("low", -1), ("high", 1))
        }
    return found | changes  # fmt: skip


ROWS = [
    group("sex", "F", 0.9, 0.01),
    group("sex", "M", 0.8, -0.09, note="1 of 4 labels judged"),
    group("sex", "F", 0.7, -0.5, label="normal"),
    group("source", "one", 0.5, -0.4),
]


def test_groups_of_one_attribute_stand_side_by_side_and_the_worst_is_named():
    model = dataclasses.replace(cases.model("small"), subgroups=ROWS)
    said = cases.Reader(report.page(cases.study([model]))).text
    assert (
        "By sex Worst off: sex M, AUROC 0.800, −0.090 to all images (the interval includes zero)."
        in said
    )
    assert "sex F 69 33 0.900 [0.800, 1.000] +0.010 [−0.090, +0.110]" in said
    assert "sex M 69 33 0.800 [0.700, 0.900] −0.090 [−0.190, +0.010] 1 of 4 labels judged" in said
    assert "source one" not in said and "0.700 [0.600" not in said.partition("By sex")[2][:400]


def test_a_group_that_is_clearly_worse_is_not_excused():
    said = subgroups.subgroups([group("sex", "F", 0.9, 0.1), group("sex", "M", 0.6, -0.3)])
    assert "−0.300 to all images." in said


def test_groups_too_small_to_judge_are_said_to_be():
    said = subgroups.subgroups([group("age", "0-19"), group("age", "20-39")])
    assert "No group has enough patients" in said


def test_without_groups_there_is_no_part():
    assert subgroups.subgroups([]) == "" == subgroups.subgroups([group("source", "one", 0.9, 0.0)])
