"""Fifty queued runs and two workers on PostgreSQL, nothing in their way: some five minutes.

CI queues a dozen so; its fifty go through the restarts of all that they need (tests/flows/test_postgres.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.test_postgres import RUNS, Team, finish, team

__all__ = ["team"]
pytestmark = pytest.mark.slow


def test_no_run_of_fifty_is_lost_or_doubled(team: Team, tmp_path: Path) -> None:
    team.create(tmp_path / "lines", RUNS)
    finish(team, tmp_path / "lines", RUNS)
