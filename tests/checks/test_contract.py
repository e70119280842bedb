"""Every check: words, silence on clean data, its own fault found, the same for any order of rows.

A check `cxr/checks/<name>.py` comes with `tests/checks/test_<name>.py`, whose `broken()` returns a
manifest with the check's fault and the sorted images that must be named ("" for the whole table).
"""

import importlib
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from cxr import plugins
from tests import factories

NAMES = plugins.names("checks")


@pytest.fixture(params=NAMES)
def check(request: pytest.FixtureRequest) -> ModuleType:
    return plugins.load("checks", request.param)


def broken(check: ModuleType) -> tuple[pd.DataFrame, list[str]]:
    return importlib.import_module(f"tests.checks.test_{check.__name__.split('.')[-1]}").broken()


def test_there_are_checks():
    assert len(NAMES) >= 15


def test_severity_and_words_are_complete(check):
    assert check.SEVERITY in ("critical", "warning", "info")
    for words in (check.MEANING, check.CURE):
        assert words[0].isupper() and words.endswith(".") and words.count(". ") == 0, words


def test_clean_data_have_no_finding(check):
    for multilabel in (False, True):
        found = check.find(factories.manifest(120, multilabel=multilabel))
        assert list(found.columns) == ["image", "detail"]
        assert found.empty, found


def test_its_own_fault_is_found(check):
    manifest, images = broken(check)
    found = check.find(manifest)
    assert sorted(found["image"]) == images
    assert found["detail"].map(lambda words: isinstance(words, str) and len(words) > 5).all()


def test_order_of_rows_does_not_matter_and_the_table_stays_as_it_is(check):
    manifest, _ = broken(check)
    before = manifest.copy()
    order = np.argsort([name[::-1] for name in manifest["sha256"]], kind="stable")
    one, other = check.find(manifest), check.find(manifest.iloc[order])
    pd.testing.assert_frame_equal(manifest, before)
    assert sorted(one.itertuples(index=False)) == sorted(other.itertuples(index=False))


def test_an_empty_table_breaks_no_check(check):
    found = check.find(factories.manifest(2).iloc[:0])
    assert set(found["image"]) <= {""}
