"""An explanation is shown in the notebook that asks, and in the browser otherwise."""

import sys
import webbrowser
from pathlib import Path
from types import SimpleNamespace

import pytest

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.explanations import example_explanation


@pytest.fixture
def opened(monkeypatch, tmp_path):
    """What a browser is asked to open; ``works`` says whether it does."""
    asked = SimpleNamespace(pages=[], works=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setattr(
        webbrowser, "open", lambda page: asked.pages.append(page) or asked.works
    )
    return asked


@pytest.fixture
def example():
    return example_explanation(n_images=3)


def test_the_browser_opens_the_interactive_page(example, opened, tmp_path):
    page = example.explanation.show(example.y, title="Three scenes")
    assert opened.pages == [page.as_uri()] and tmp_path in page.parents
    text = page.read_text(encoding="utf-8")
    assert "<title>Three scenes</title>" in text
    assert example.explanation.show() != page  # an earlier page is not replaced


def test_where_there_is_no_browser_the_page_is_named(example, opened):
    opened.works = False
    with pytest.warns(
        P2PSelectWarning, match="no browser could be opened; the page is"
    ) as said:
        page = example.explanation.show()
    assert str(page) in str(said[0].message) and Path(said[0].filename).name == "test_show.py"


@pytest.mark.parametrize("shell", ["notebook", "terminal"])
def test_a_notebook_shows_it_in_place(example, opened, monkeypatch, shell):
    displayed = []
    own = SimpleNamespace(kernel=object()) if shell == "notebook" else SimpleNamespace()
    ipython = SimpleNamespace(get_ipython=lambda: own)
    display = SimpleNamespace(display=displayed.append)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    page = example.explanation.show()
    in_place = shell == "notebook"
    assert displayed == ([example.explanation] if in_place else [])
    assert (page is None) == in_place and len(opened.pages) == (not in_place)
