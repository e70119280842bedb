"""Forty kills of a retraining at random points, each followed by a run that finishes: about 25 minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows import arriving, killing


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_forty_kills_leave_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    clone = arriving.make(tmp_path / "hospital")
    killing.check(clone, kills=40, each=True)
