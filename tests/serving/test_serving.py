"""The whole service under load: right statuses, no crash, nothing that grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import storm
from tests.serving.served import served

pytestmark = pytest.mark.slow


def test_two_hundred_uploads_at_once_one_in_twenty_bent(exported: Path, tmp_path: Path) -> None:
    limits = {"waiting": 1000, "answer_s": 300, "upload_s": 300}
    with served(exported, tmp_path, limits=limits) as service:
        found = storm.blow(service, count=400, at_once=200)
        assert found.wrong() == {}
        assert sum(found.statuses.values()) == 400
        assert {name for name, _, _ in found.statuses} >= {name for name, _, _ in storm.bent()}
        assert sorted((tmp_path / "temporary").iterdir()) == []
        assert "fault" not in service.log() and "Jane" not in service.log()
        assert service.stop() == 0


def test_what_has_no_place_is_put_off_and_not_lost(exported: Path, tmp_path: Path) -> None:
    with served(exported, tmp_path, limits={"waiting": 8}) as service:
        found = storm.blow(service, count=100, at_once=50, every=1000)
        answered, put_off = (
            sum(x for (_, _, status), x in found.statuses.items() if status == wanted)
            for wanted in (200, 503)
        )
        assert answered + put_off + 1 == 100, "one is bent"
        assert answered >= 8 and put_off > 0
        assert service.predict(storm.good()[0][1]).status == 200


def test_nothing_grows(exported: Path, tmp_path: Path) -> None:
    """tests/bench/serving.py does it with 10,000 requests."""
    with served(exported, tmp_path, limits={"waiting": 1000}) as service:
        storm.blow(service, count=200, at_once=20)
        before = storm.memory(service)
        storm.blow(service, count=600, at_once=20)
        after = storm.memory(service)
    assert after["files"] <= before["files"] + 2
    assert after["processes"] == before["processes"] == 3
    assert after["rss_mb"] <= before["rss_mb"] + 30
