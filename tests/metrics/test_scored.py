"""Scored: what a table of predictions says, and how it is decided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxr.metrics import scored


def _table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image": ["a", "b", "c"], "patient": ["p", None, ""], "source": ["here", "", None],
            "fold": [0, 1, -1], "label:x": [1.0, 0.0, np.nan], "label:y": [0.0, 1.0, 1.0],
            "score:x": [0.6, 0.6, 0.6], "score:y": [0.2, 0.7, 0.3],
        }
    )  # fmt: skip


def test_each_fold_has_its_thresholds_and_a_mean_the_last() -> None:
    found = scored.from_table(_table(), np.array([[0.5, 0.5], [0.7, 0.7]]))
    assert found.decided_NL.tolist() == [[True, False], [False, True], [False, False]]
    assert np.isnan(found.labels_NL[2, 0]) and not found.exclusive


def test_without_thresholds_the_highest_score_decides() -> None:
    found = scored.from_table(_table(), None)
    assert found.decided_NL.argmax(axis=1).tolist() == [0, 1, 0]
    assert found.labels_NL[2].tolist() == [0.0, 1.0] and found.exclusive
    with pytest.raises(ValueError, match="1 of 3 images do not have exactly one label"):
        scored.from_table(_table().assign(**{"label:x": 1.0}).iloc[[0, 1, 1]].assign(**{"label:y": [0.0, 0.0, 1.0]}), None)  # fmt: skip


def test_nobodys_images_are_one_unknown_patients_and_parts_keep_their_rows() -> None:
    found = scored.from_table(_table(), None)
    assert found.patients_N.tolist() == ["p", "unknown", "unknown"]
    assert found.sources_N.tolist() == ["here", "unknown", "unknown"]
    part = found.part(np.array([False, True, True]))
    assert part.folds_N.tolist() == [1, -1] and part.exclusive
