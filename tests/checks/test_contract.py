"""Every check: words, silence on clean data, its own fault found, the same for any order of rows.

A check `cxr/checks/<name>.py` comes with `tests/checks/test_<name>.py`, whose `broken()` returns a
manifest with the check's fault and the sorted images that must be named ("" for the whole table).
A check with NEEDS may get the evidence that goes with it as a third item: {name: value}; what it
leaves out is taken from `factories.evidence`.
"""

import importlib
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cxr import plugins
from tests import factories

NAMES = plugins.names("checks")
EVIDENCE = {"arrival", "gaps", "pairs", "reference", "seed", "thumbnails"}


@pytest.fixture(params=NAMES)
def check(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("checks", request.param)


def broken(check: ModuleType) -> tuple[pd.DataFrame, list[str], dict[str, Any]]:
    """Return the faulty manifest, the images that must be named, and all evidence."""
    module = importlib.import_module(f"tests.checks.test_{check.__name__.split('.')[-1]}")
    manifest, images, *given = module.broken()
    return manifest, images, factories.evidence(manifest) | (given[0] if given else {})


def find(check: ModuleType, manifest: pd.DataFrame, evidence: dict[str, Any]) -> pd.DataFrame:
    """Run a check with the evidence that it asks for."""
    return check.find(manifest, **{name: evidence[name] for name in getattr(check, "NEEDS", ())})


def test_there_are_checks():
    assert len(NAMES) >= 15


def test_severity_and_words_are_complete(check):
    assert check.SEVERITY in ("critical", "warning", "info")
    for words in (check.MEANING, check.CURE):
        assert words[0].isupper() and words.endswith(".") and words.count(". ") == 0, words


def test_a_check_asks_for_evidence_that_there_is(check):
    assert isinstance(getattr(check, "NEEDS", ()), tuple)
    assert set(getattr(check, "NEEDS", ())) <= EVIDENCE


def test_clean_data_have_no_finding(check):
    for multilabel in (False, True):
        labels = ("effusion", "pneumonia") if multilabel else ("normal", "pneumonia")
        manifest = factories.manifest(120, labels=labels, multilabel=multilabel)
        evidence = factories.evidence(manifest)
        for reference in (None, manifest):
            found = find(check, manifest, evidence | {"reference": reference})
            assert list(found.columns) == ["image", "detail"]
            assert found.empty, found


def test_its_own_fault_is_found(check):
    manifest, images, evidence = broken(check)
    assert images, "broken() must name the images, or [''] for the whole table"
    found = find(check, manifest, evidence)
    assert sorted(found["image"]) == images
    assert found["detail"].map(lambda words: isinstance(words, str) and len(words) > 5).all()


def test_order_of_rows_does_not_matter_and_the_table_stays_as_it_is(check):
    manifest, _, evidence = broken(check)
    before, seen = manifest.copy(), evidence["thumbnails"].copy()
    order = np.argsort([name[::-1] for name in manifest["sha256"]], kind="stable")
    one = find(check, manifest, evidence)
    turned = evidence | {"thumbnails": evidence["thumbnails"][order]}
    other = find(check, manifest.iloc[order], turned)
    pd.testing.assert_frame_equal(manifest, before)
    np.testing.assert_array_equal(evidence["thumbnails"], seen)
    assert sorted(one.itertuples(index=False)) == sorted(other.itertuples(index=False))


def test_an_empty_table_breaks_no_check(check):
    empty = factories.manifest(2).iloc[:0]
    found = find(check, empty, factories.evidence(empty))
    assert set(found["image"]) <= {""}
