"""Subgroups: who belongs where, who is too few, and figures of the group's images alone."""

from __future__ import annotations

import numpy as np
import pytest

from cxr.metrics import auroc, classification, subgroups
from tests.metrics import cases

NAN = float("nan")


def test_age_bands_begin_with_their_first_year_and_an_unknown_age_is_one_group() -> None:
    ages = np.array([0, 19.9, 20, 39, 40, 59.5, 60, 79, 80, 103, NAN, -1])
    wanted = ["0-19"] * 2 + ["20-39"] * 2 + ["40-59"] * 2 + ["60-79"] * 2 + ["80+"] * 2
    assert subgroups.age_bands(ages).tolist() == [*wanted, "unknown", "unknown"]


def test_attributes_come_from_the_manifest_and_an_empty_cell_is_unknown() -> None:
    table = cases.people(6)
    table.loc[0, "sex"], table.loc[1, "view"] = "", None
    found = subgroups.attributes(table)
    assert list(found) == ["age", "sex", "source", "view"]
    assert found["sex"].tolist() == ["unknown", "M", "F", "F", "M", "M"]
    assert found["view"][1] == "unknown" and set(found["source"]) == {"here"}


def test_a_groups_figures_are_those_of_its_images() -> None:
    case = cases.scored(240)
    sex = cases.people(240)["sex"].to_numpy(str)
    found = subgroups.Subgroups(case, {"sex": sex})
    values = found(np.ones((1, 240)))[0]
    assert [(group.name, group.patients) for group in found.groups] == [("F", 60), ("M", 60)]
    for i, name in enumerate("FM"):
        part = case.part(sex == name)
        counts = classification.count(part.labels_NL, part.decided_NL)
        aurocs = auroc.per_label(part.labels_NL, part.scores_NL)
        np.testing.assert_array_equal(values[i], [aurocs, counts.recall, counts.specificity])


def test_a_label_is_judged_where_enough_patients_have_it_and_have_it_not() -> None:
    labels = np.zeros((200, 3))
    labels[::2, 0] = 1  # every patient has both
    labels[: 2 * subgroups.FEWEST : 2, 1] = 1
    labels[: 2 * subgroups.FEWEST - 2 : 2, 2] = 1  # one patient less
    case = cases.scored(200, labels_NL=labels, exclusive=False)
    found = subgroups.Subgroups(case, {"all": np.full(200, "x")})
    assert found.groups[0].judged_L.tolist() == [True, True, False]
    assert found.groups[0].present_L.tolist() == [100, subgroups.FEWEST, subgroups.FEWEST - 1]
    values = found(np.ones((1, 200)))[0, 0]
    assert np.isnan(values).tolist() == [[False, False, True]] * 3


def test_only_attributes_with_two_judged_groups_are_compared() -> None:
    case = cases.scored(240)
    names = {"sex": np.where(np.arange(240) % 4 < 2, "F", "M"), "source": np.full(240, "here"),
             "view": np.where(np.arange(240) < 4, "PA", "AP")}  # fmt: skip
    found = subgroups.Subgroups(case, names)
    chosen = {
        key: [found.groups[i].name for i in places]
        for key, places in subgroups.several(found.groups)
    }
    assert chosen == {"sex": ["F", "M"]}


@pytest.mark.parametrize("attributes", [{}, {"sex": np.full(120, "F")}])
def test_shapes_hold_without_groups_too(attributes: dict[str, np.ndarray]) -> None:
    found = subgroups.Subgroups(cases.scored(), attributes)(np.ones((2, 120)))
    assert found.shape == (2, len(attributes), len(subgroups.METRICS), 3)
