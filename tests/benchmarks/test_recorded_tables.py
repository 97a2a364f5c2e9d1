"""Recorded figures as tables, and what the documentation shows of them."""

import json
import re
from pathlib import Path

import pytest
from provenance import in_words
from recorded_tables import markdown, table_of

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
RECORDED = sorted(path for path in RESULTS.glob("*.json") if path.stem != "history")
_DIRECTIVE = re.compile(r"^```\{([\w-]+)\} ?([^\n]*)\n((?::\w+:[^\n]*\n)*)", re.MULTILINE)


def directives() -> list[tuple[str, str, dict[str, str]]]:
    """Directives of all pages: name, arguments, options."""
    texts = [page.read_text(encoding="utf-8") for page in sorted(ROOT.glob("docs/**/*.md"))]
    return [
        (name, arguments, dict(re.findall(r":(\w+): ?(.*)", options)))
        for text in texts
        for name, arguments, options in _DIRECTIVE.findall(text)
    ]


def test_rows_are_figures_and_columns_are_files():
    found = {"a": {"about": {}, "x": 0.25, "n": 3}, "b": {"x": 250.0, "seconds": 1.0}}
    assert table_of(found) == [["", "a", "b"], ["x", "0.250", "250"], ["n", "3", ""]]
    assert table_of({"a": found["a"]})[0] == ["", "value"]


def test_prefixes_are_rows():
    found = {"a": {"about": {}, "p@.5_x": 0.5, "p_x": 0.25, "p_y": "yes", "q_z": 1.0}}
    expected = [["", "x", "y"], ["p", "0.250", "yes"], ["p@.5", "0.500", ""]]
    assert table_of(found, ["p", "p@.5"]) == expected


def test_a_row_without_figures_is_an_error():
    with pytest.raises(ValueError, match="a: no figures of q"):
        table_of({"a": {"p_x": 1.0}}, ["p", "q"])


def test_markdown_holds_every_cell():
    rows = [["", "x_y"], ["a_b", "0.250"]]
    assert markdown(rows) == "|     | x y   |\n|-----|-------|\n| a b | 0.250 |"


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_file_says_which_code_made_it(path):
    about = json.loads(path.read_text(encoding="utf-8"))["about"]
    for facts in [about] if "date" in about else about.values():
        assert in_words(facts)
        assert not facts.get("changed"), "the code was not committed"


def test_every_file_is_shown_in_the_documentation():
    shown = {
        stem
        for name, arguments, _ in directives()
        if name in ("recorded", "paper-tables")
        for stem in arguments.split()
    }
    assert {path.stem for path in RECORDED} <= shown


def test_every_row_that_the_documentation_names_has_figures():
    checked = 0
    for name, arguments, options in directives():
        files = [RESULTS / f"{stem}.json" for stem in arguments.split()]
        present = [file for file in files if file.is_file()]
        if name != "recorded" or not present:
            continue
        found = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in present}
        rows = table_of(found, options.get("rows", "").split())
        assert len(rows) > 1
        checked += 1
    assert checked > 10


def test_no_figure_of_the_benchmarks_page_is_typed_in():
    text = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert not re.search(r"^\|", text, re.MULTILINE)
