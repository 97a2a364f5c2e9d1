"""Which code made a figure."""

import shutil
import subprocess
from pathlib import Path

import provenance
import pytest

import p2pselect

FACTS = {
    "commit": "abc1234",
    "changed": False,
    "date": "2026-11-26",
    "versions": {"torch": "2.14.1"},
    "threads": 1,
    "machine": "a processor",
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a package, which counts as the one that is imported."""
    if shutil.which("git") is None:
        pytest.skip("git is not on the path")

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(file, text):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        git("add", "-A")
        git("commit", "-m", text)
        return git("log", "-1", "--format=%h")

    git("init", "-q")
    monkeypatch.setattr(p2pselect, "__file__", str(tmp_path / "p2pselect" / "__init__.py"))
    return tmp_path, commit


def test_the_code_is_the_last_commit_that_changed_the_package(checkout):
    root, commit = checkout
    commit("p2pselect/__init__.py", "one")
    made = commit("p2pselect/__init__.py", "two")
    commit("docs/page.md", "three")
    assert provenance.commit(root) == {"commit": made, "changed": False}


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("p2pselect/__init__.py", True),
        ("p2pselect/new.py", True),
        ("benchmarks/new.py", True),
        ("benchmarks/results/new.json", False),
        ("docs/page.md", False),
    ],
)
def test_changes_that_are_not_committed_are_told(checkout, file, changed):
    root, commit = checkout
    commit("p2pselect/__init__.py", "one")
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text("changed")
    assert provenance.commit(root)["changed"] is changed


def test_code_from_elsewhere_is_not_that_of_the_checkout(checkout, monkeypatch, tmp_path):
    root, commit = checkout
    commit("p2pselect/__init__.py", "one")
    monkeypatch.setattr(p2pselect, "__file__", str(tmp_path / "site-packages/p2pselect/x.py"))
    assert provenance.commit(root) == {"commit": None, "changed": True}


def test_without_a_repository_the_code_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(p2pselect, "__file__", str(tmp_path / "p2pselect" / "__init__.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) == {"commit": None, "changed": True}


def test_a_run_of_other_code_has_a_folder_of_its_own(monkeypatch):
    made = [
        {"commit": "abc1234", "changed": False},
        {"commit": "abc1234", "changed": True},
        {"commit": "def5678", "changed": False},
        {"commit": None, "changed": True},
    ]
    folders = []
    for facts in made:
        monkeypatch.setattr(provenance, "commit", lambda facts=facts: facts)
        folders.append(provenance.run_folder(Path("run")))
    assert folders[0] == Path("run/abc1234")
    assert len(set(folders)) == len(folders)


def test_what_is_recorded_is_complete():
    facts = provenance.about()
    assert facts.keys() == FACTS.keys()
    assert facts["versions"].keys() == {"python", *provenance.PACKAGES}
    assert provenance.in_words(facts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            "Measured on 2026-11-26 with commit abc1234: torch 2.14.1; 1 thread, a processor.",
        ),
        ({"threads": 2}, "2 threads"),
        ({"changed": True}, "commit abc1234 with changes that were not committed"),
        ({"commit": None, "changed": True}, "with unknown code:"),
    ],
)
def test_the_sentence_says_which_code_and_when(change, words):
    assert words in provenance.in_words(FACTS | change)


def test_a_file_from_before_this_record_says_what_is_known():
    words = provenance.in_words({"recorded_in": "abc1234", "date": "2026-11-24"})
    assert "commit abc1234" in words and "2026-11-24" in words and "not noted" in words
