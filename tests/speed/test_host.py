"""What others used of the machine: counted by the kernel, our own share taken off."""

from __future__ import annotations

import subprocess
import sys

from cxr.speed import host
from cxr.speed.host import Moment

IDLE = dict.fromkeys(host._COLUMNS, 0.0)
SPIN = "import time\nstart = time.monotonic()\nwhile time.monotonic() - start < 2: pass"


def test_the_machine_is_described():
    found = host.about()
    assert found["processor"] and 1 <= found["usable_cores"] <= found["cores"]
    assert found["memory_bytes"] > 100 << 20


def test_what_is_ours_is_taken_off(monkeypatch):
    monkeypatch.setattr(host.os, "cpu_count", lambda: 2)
    before = Moment(IDLE, ours=5.0)
    after = Moment({**IDLE, "user": 14.0, "system": 1.0, "idle": 4.0, "steal": 1.0}, ours=15.0)
    # 20 s of 2 processors are 10 s; 15 busy, 10 of them ours
    assert host.between(before, after) == {"others_cores": 0.5, "stolen_cores": 0.1}


def test_the_work_of_a_child_is_ours_and_that_of_a_stranger_is_not():
    def seen(*, waited: bool) -> float:
        before = host.moment()
        with subprocess.Popen([sys.executable, "-c", SPIN]) as child:
            child.wait()
            after = host.moment()
        own = after if waited else Moment(after.seconds, before.ours)
        return host.between(before, own)["others_cores"]

    used = [seen(waited=True), seen(waited=False)]
    assert used[1] > used[0]
