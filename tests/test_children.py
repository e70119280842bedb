"""Programs that this process started are found by what they run, ended ones are not."""

from __future__ import annotations

import subprocess
import sys

import psutil

from tests import children


def test_a_program_is_found_while_it_runs_and_an_ended_one_is_passed_over() -> None:
    with subprocess.Popen([sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "0"], stdout=subprocess.DEVNULL) as found:  # fmt: skip
        assert [one.pid for one in children.running("http.server")] == [found.pid]
        assert children.running("json.tool") == []
        found.kill()
        while psutil.Process(found.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert children.running("http.server") == []
