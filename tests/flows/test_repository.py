"""What the flows ask git: commits by any name, changes of any kind, complaints in one line."""

from __future__ import annotations

import subprocess

import pytest

from flows import repository


@pytest.fixture
def root(tmp_path):
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "first")):
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_commit_is_found_by_head_and_by_its_first_digits(root):
    full = repository.commit("HEAD", root=root)
    assert len(full) == 40
    assert repository.commit(full[:8], root=root) == full


def test_an_unknown_commit_is_refused_with_the_cure(root):
    with pytest.raises(
        ValueError, match="'nowhere' is no commit of this repository: try `git log`"
    ):
        repository.commit("nowhere", root=root)


def test_changed_lists_new_and_altered_files_with_odd_names_but_no_ignored_ones(root):
    assert repository.changed(root=root) == []
    (root / ".gitignore").write_text("hidden\n")
    for name in ("hidden", "ünd so weiter.txt", "inner/file"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("x")
    assert repository.changed(root=root) == [".gitignore", "inner/file", "ünd so weiter.txt"]


def test_gits_complaint_is_one_line(root):
    with pytest.raises(ValueError, match=r"^git checkout: .*nowhere[^\n]*$"):
        repository.git("checkout", "nowhere", root=root)
