"""The acceptance set: one truth for both models; every image exactly once, or all faults by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.gating import acceptance
from tests.gating import cases

MANIFEST = cases.manifest()
LISTED = MANIFEST[["image"]].iloc[4:34]


def gather(
    *, listed: pd.DataFrame = LISTED, challenger: Any = None, champion: Any = None
) -> tuple[acceptance.Accepted, acceptance.Side, acceptance.Side | None]:
    """Gather with reports that are without fault unless a test brings its own."""
    first = challenger or cases.report(cases.predictions(MANIFEST))
    return acceptance.gather(listed, MANIFEST, first, champion)


def faults(**named: Any) -> list[str]:
    with pytest.raises(ValueError) as caught:
        gather(**named)
    return str(caught.value).splitlines()


def test_only_listed_images_count_sorted_with_the_manifests_patients_and_sources() -> None:
    found, challenger, champion = gather(listed=LISTED.iloc[::-1])
    rows = MANIFEST.iloc[4:34]
    assert found.images == tuple(rows["image"])
    assert found.patients_N.tolist() == rows["patient"].tolist()
    assert found.sources_N.tolist() == rows["source"].tolist()
    assert found.names == ("normal", "pneumonia") and found.exclusive
    np.testing.assert_array_equal(found.labels_NL[:, 0], rows["label:normal"])
    assert champion is None and challenger.costs["onnx_bytes"] == 4000
    predicted = cases.predictions(MANIFEST).iloc[4:34]
    np.testing.assert_array_equal(
        challenger.scores_NL[:, 1], predicted["score:pneumonia"].to_numpy(np.float64)
    )
    assert (challenger.decided_NL.sum(axis=1) == 1).all()


def test_files_can_be_named_by_their_sha256() -> None:
    by_name, by_digest = (
        gather(listed=MANIFEST[[key]].iloc[4:34])[0] for key in ("image", "sha256")
    )
    assert by_name.images == by_digest.images


def test_a_file_that_changed_or_is_gone_or_has_copies_is_told() -> None:
    both = MANIFEST[["image", "sha256"]].iloc[4:34].copy()
    both.iloc[0, 1] = "f00"
    (line,) = faults(listed=both)
    assert line.startswith("the acceptance list: another file now, by its sha256 toy/images/000004")
    (line,) = faults(listed=pd.DataFrame({"sha256": [MANIFEST["sha256"][0], "f00"]}))
    assert line.startswith("the acceptance list: not in data/manifest.csv sha256 f00: ")
    copied = MANIFEST.assign(sha256=MANIFEST["sha256"].where(MANIFEST.index > 1, "same"))
    listed, report = pd.DataFrame({"sha256": ["same"]}), cases.report(cases.predictions(MANIFEST))
    with pytest.raises(ValueError, match=r"one sha256: toy/images/000000\.png, toy/images/000001"):
        acceptance.gather(listed, copied, report, None)


def test_an_empty_list_or_one_without_names_is_refused() -> None:
    for listed in (LISTED.iloc[:0], pd.DataFrame({"file": ["a"]})):
        with pytest.raises(
            ValueError, match="needs a column image or sha256 and at least one line"
        ):
            gather(listed=listed)


def test_every_fault_of_both_tables_is_told_at_once_by_name() -> None:
    good = cases.predictions(MANIFEST)
    other = good.copy()
    other.loc[8, "label:normal"], other.loc[9, "score:normal"] = 0.0, np.nan
    found = faults(
        listed=pd.concat([LISTED, LISTED.iloc[:1], pd.DataFrame({"image": ["toy/no.png"]})]),
        challenger=cases.report(good.drop(index=[6, 7])),
        champion=cases.report(other, where="champion.csv"),
    )
    assert [line.split(".png: ")[0] for line in found] == [
        "the acceptance list: more than once toy/images/000004",
        "the acceptance list: not in data/manifest.csv toy/no",
        "challenger.csv: no score of toy/images/000006.png, toy/images/000007",
        "champion.csv: another label:normal toy/images/000008",
        "champion.csv: not a probability between 0 and 1 toy/images/000009",
    ]


def test_many_images_are_counted_behind_the_first_names() -> None:
    (line,) = faults(challenger=cases.report(cases.predictions(MANIFEST.iloc[20:])))
    assert "toy/images/000011.png and 8 more: evaluate this model" in line


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=4, max_value=33), st.booleans())
def test_a_duplicated_image_is_refused_by_name(row: int, of_champion: bool) -> None:
    good = cases.predictions(MANIFEST)
    twice = cases.report(pd.concat([good, good.iloc[[row]]]), where="twice.csv")
    named = {"champion": twice} if of_champion else {"challenger": twice}
    name = f"toy/images/{row:06d}.png"
    assert faults(**named) == [f"twice.csv: scored more than once {name}: evaluate the model again"]


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(chance: Any) -> None:
    good = cases.predictions(MANIFEST)
    rows, lines = list(range(len(good))), list(range(len(LISTED)))
    chance.shuffle(rows), chance.shuffle(lines)
    one, other = (
        gather(listed=listed, challenger=cases.report(table))
        for listed, table in ((LISTED, good), (LISTED.iloc[lines], good.iloc[rows]))
    )
    assert one[0].images == other[0].images
    for key in ("scores_NL", "decided_NL"):
        np.testing.assert_array_equal(getattr(one[1], key), getattr(other[1], key))


def test_frozen_labels_go_before_those_of_the_manifest() -> None:
    frozen = MANIFEST[["image", "label:normal", "label:pneumonia"]].iloc[4:34].copy()
    frozen.iloc[0, 1:] = 1 - frozen.iloc[0, 1:]
    found = faults(listed=frozen)
    assert [line.split(":")[1] for line in found] == [" another label", " another label"]
    relabelled = cases.predictions(MANIFEST)
    columns = ["label:normal", "label:pneumonia"]
    relabelled.loc[4, columns] = 1 - relabelled.loc[4, columns]
    accepted, *_ = gather(listed=frozen, challenger=cases.report(relabelled))
    assert accepted.labels_NL[0].tolist() == frozen.iloc[0, 1:].tolist()
    (line,) = faults(listed=frozen.rename(columns={"label:normal": "label:well"}))
    assert "has the labels well, pneumonia, data/manifest.csv normal, pneumonia" in line


def test_models_of_other_labels_and_reports_of_two_runs_are_refused() -> None:
    good = cases.predictions(MANIFEST)
    renamed = good.rename(columns={"label:normal": "label:well"})
    (line,) = faults(challenger=cases.report(renamed))
    assert "the labels are well, pneumonia, those of the accepted images normal, pneumonia" in line
    (line,) = faults(challenger=cases.report(good, images=39))
    assert "40 predictions" in line and "of 39 images and normal, pneumonia" in line
    (line,) = faults(challenger=cases.report(good.drop(columns="score:normal")))
    assert line == "challenger.csv: the columns score:normal are missing"


def test_numbers_that_a_report_lacks_are_told() -> None:
    report = acceptance.Report(
        where="a.csv", predictions=cases.predictions(MANIFEST), metrics={}, export={}
    )
    assert [line.split(": ")[1] for line in faults(champion=report)] == [
        "its metrics lack images, labels, thresholds, parameters, macs",
        "its export's metrics lack onnx_bytes",
    ]


def test_an_image_without_a_patient_is_refused() -> None:
    nameless = MANIFEST.assign(patient=MANIFEST["patient"].where(MANIFEST.index != 5, ""))
    with pytest.raises(ValueError, match=r"no patient of toy/images/000005\.png: the interval"):
        acceptance.gather(LISTED, nameless, cases.report(cases.predictions(MANIFEST)), None)


def test_each_model_decides_by_the_thresholds_of_its_fold() -> None:
    good = cases.predictions(MANIFEST).assign(fold=lambda table: np.arange(len(table)) % 2)
    thresholds = {"normal": [0.0, 1.0], "pneumonia": [0.0, 1.0]}
    accepted, challenger, champion = gather(
        challenger=cases.report(good, thresholds=thresholds),
        champion=cases.report(cases.predictions(MANIFEST)),
    )
    even_N = np.arange(4, 34) % 2 == 0
    np.testing.assert_array_equal(challenger.decided_NL.all(axis=1), even_N)
    assert champion is not None and champion.exclusive
    assert not accepted.exclusive  # one of them decides label by label
    (line,) = faults(challenger=cases.report(good.assign(fold=2), thresholds=thresholds))
    assert "fold 2 has no thresholds among the 2 of its metrics" in line


def test_a_score_read_from_its_decimals_is_the_networks_own() -> None:
    """Written 0.1, it was the float32 next to it, which lies a hair above."""
    read = cases.predictions(MANIFEST).assign(**{"score:normal": 0.1})
    thresholds = {"normal": [float(np.float32(0.1))], "pneumonia": [0.5]}
    _, challenger, _ = gather(challenger=cases.report(read, thresholds=thresholds))
    assert challenger.decided_NL[:, 0].all()


def test_the_mean_of_networks_has_one_row_of_thresholds_and_the_files_of_all() -> None:
    good = cases.predictions(MANIFEST).assign(fold=-1)
    thresholds = {"normal": [0.0], "pneumonia": [1.0]}
    _, challenger, _ = gather(challenger=cases.report(good, thresholds=thresholds, ensemble=3))
    assert challenger.decided_NL[:, 0].all() and not challenger.decided_NL[:, 1].any()
    assert challenger.costs == {"parameters": 1000, "macs": 5000, "onnx_bytes": 12000}


def test_images_of_no_or_two_classes_are_refused_where_one_decides() -> None:
    table = MANIFEST.assign(
        **{"label:normal": MANIFEST["label:normal"].where(MANIFEST.index != 5, 1)}
    )
    table.loc[4, "label:normal"] = table.loc[4, "label:pneumonia"] = 1.0
    with pytest.raises(ValueError, match=r"not exactly one label of toy/images/000004\.png: both"):
        acceptance.gather(LISTED, table, cases.report(cases.predictions(table)), None)
