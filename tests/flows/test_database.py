"""Where the server keeps what it knows: the environment or a private file says it, and no word holds the password."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows import database

ADDRESS = "postgresql+asyncpg://somebody:hush-hush@db.example.org/cxr"


def private(folder: Path, text: str) -> Path:
    path = folder / "database"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_sqlite_without_a_word(tmp_path: Path):
    assert database.address(tmp_path, {}) is None
    assert database.environment(None) == {}
    assert database.shown(None) == "SQLite"


def test_a_file_or_the_environment_names_a_postgresql(tmp_path: Path):
    private(tmp_path, ADDRESS + "\n")
    assert database.address(tmp_path, {}) == ADDRESS
    other = ADDRESS.replace("db.", "other.")
    for name in database.VARIABLES:
        assert database.address(tmp_path, {name: other}) == other
    assert database.environment(ADDRESS) == {"PREFECT_SERVER_DATABASE_CONNECTION_URL": ADDRESS}


def test_it_is_shown_without_its_password():
    assert database.shown(ADDRESS) == "PostgreSQL at somebody@db.example.org:5432/cxr"


def test_a_file_that_others_may_read_is_refused(tmp_path: Path):
    private(tmp_path, ADDRESS).chmod(0o640)
    with pytest.raises(ValueError, match=r"others may read: chmod 600 .*/database"):
        database.address(tmp_path, {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "postgresql://somebody:hush-hush@db/cxr",
        "postgresql+asyncpg://somebody:hush-hush@db",
        "postgresql+asyncpg:///cxr?password=hush-hush",
        "postgresql+asyncpg://somebody:hush-hush@db:port/cxr",
        "postgresql+asyncpg://somebody:hush/hush-hush@db/cxr",
        "postgresql+asyncpg://[hush-hush/cxr",
        f"{ADDRESS}\n{ADDRESS}",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(tmp_path: Path, text: str):
    private(tmp_path, text)
    with pytest.raises(ValueError, match=r"must be one address postgresql\+asyncpg://") as caught:
        database.address(tmp_path, {})
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__cause__ is None
