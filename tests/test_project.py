"""The files around the package agree with it and with each other."""

import configparser
import re
import runpy
import tomllib
from pathlib import Path

import pytest

import p2pselect

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def changelog():
    return runpy.run_path(str(ROOT / ".ci/changelog.py"))


def test_the_changelog_begins_with_this_version(changelog):
    assert next(iter(changelog["sections"](CHANGELOG))) == p2pselect.__version__


def test_a_change_without_an_entry_is_noticed(changelog):
    missing = changelog["missing_entry"]
    assert "p2pselect/presets.py has changed" in missing(["docs/x.md", "p2pselect/presets.py"])
    assert missing(["CHANGELOG.md", "p2pselect/presets.py"]) is None
    assert missing(["docs/x.md"]) is None


@pytest.mark.parametrize(
    ("version", "wrong"),
    [
        ("1.2.0", None),
        ("1.3.0", "__version__ is not 1.3.0"),
        ("1.1.0", "__version__ is not 1.1.0"),
    ],
)
def test_a_release_needs_its_version_and_a_date(changelog, version, wrong):
    text = "## 1.2.0 (2026-01-31)\n\n## 1.1.0\n"
    found = changelog["unreleasable"](version, text, '__version__ = "1.2.0"')
    assert found is None if wrong is None else wrong in found
    undated = text.replace("2026-01-31", "unreleased")
    assert "YYYY" in changelog["unreleasable"]("1.2.0", undated, '__version__ = "1.2.0"')


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {p2pselect.__version__}\n" in citation


def test_tox_and_ci_run_every_python_that_is_named():
    named = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if ":: 3." in c]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    in_tox = re.findall(r"py3(\d+)", tox["tox"]["env_list"])
    assert named == [f"3.{minor}" for minor in in_tox]
    assert re.findall(r'"(3\.\d+)"', WORKFLOW.split("python: [")[1].split("]")[0]) == named
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"


def test_environments_of_tox_that_are_named_exist():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    known = {name.removeprefix("testenv:") for name in tox.sections()} | {"py"}
    files = ("CONTRIBUTING.md", ".github/pull_request_template.md", ".github/workflows/ci.yml")
    text = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    named = re.findall(r"tox -e ([a-z][\w,]*)", text) + [
        WORKFLOW.split("name: [")[1].split("]")[0].replace(" ", "")
    ]
    assert {name for names in named for name in names.split(",")} <= known


def test_pypi_can_show_the_readme():
    """Links and pictures are absolute, because PyPI shows the README without its folder."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)|src=\"([^\"]+)\"", text)
    assert [link for pair in links for link in pair if link and "://" not in link] == []


def test_the_lock_file_has_every_dependency():
    lock = (ROOT / "requirements/dev.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(x for part in extras.values() for x in part),
    ]
    names = {re.match(r"[\w.-]+", line).group() for line in wanted} - {"p2pselect"}
    assert names - locked == set()
