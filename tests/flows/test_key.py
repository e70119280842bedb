"""Tests of flows.key: a secret key, for its owner only, and never a second one in its place."""

from __future__ import annotations

import stat

import pytest

from flows import key


def test_key_is_made_once_for_its_owner_only(tmp_path, monkeypatch, capsys):
    path = tmp_path / "private" / "patient.key"
    monkeypatch.setenv("CXR_PATIENT_KEY_FILE", str(path))
    key.main()
    content = path.read_bytes()
    assert len(content) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "made; keep a copy" in capsys.readouterr().out
    key.main()
    assert path.read_bytes() == content
    assert "is there already" in capsys.readouterr().out


def test_two_keys_differ(tmp_path):
    assert key.make(tmp_path / "a") and key.make(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
    assert not key.make(tmp_path / "a")


def test_place_that_can_not_be_written_is_named(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CXR_PATIENT_KEY_FILE", str(tmp_path / "file" / "patient.key"))
    with pytest.raises(SystemExit):
        key.main()
    assert "choose another place by CXR_PATIENT_KEY_FILE" in capsys.readouterr().err


def test_the_reader_looks_where_the_key_is_made(root):
    import subprocess

    from cxr.datasets import _pseudonyms

    assert _pseudonyms.KEY_FILE == key.KEY
    assert subprocess.run(["git", "check-ignore", "-q", str(key.KEY)], cwd=root).returncode == 0
