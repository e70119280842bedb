"""Command: a user's errors end in lines and a code, a bug keeps its traceback."""

import os
import signal

import pytest

from flows import command, pipeline


@pytest.fixture(autouse=True)
def _signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("kind", [ValueError, OSError, pipeline.Failed, pipeline.Locked])
def test_every_line_of_an_error_is_marked(kind, capsys):
    with pytest.raises(SystemExit) as ended, command.telling(interrupted=command.GO_ON):
        raise kind("one\ntwo")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "error: one\nerror: two\n"


def test_sigterm_ends_as_ctrl_c_does(capsys):
    with pytest.raises(SystemExit) as ended, command.telling(interrupted="all is kept"):
        os.kill(os.getpid(), signal.SIGTERM)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted: all is kept\n"


def test_a_bug_is_not_dressed_up():
    with pytest.raises(KeyError), command.telling(interrupted=command.GO_ON):
        raise KeyError("x")
