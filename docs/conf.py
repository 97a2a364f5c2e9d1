"""Sphinx configuration: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import os
import sys
from pathlib import Path

# Set before anything imports torch: more threads only slow the tiny networks down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from gallery_scraper import EXTRA, REPORTS  # noqa: E402

import p2pselect  # noqa: E402

project = "p2pselect"
author = "The p2pselect developers"
copyright = f"2026, {author}"
release = version = p2pselect.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "recorded",
    "methods_table",
    "command_help",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "p2pselect"
html_static_path = ["_static"]
html_css_files = ["page.css"]
html_show_sourcelink = False
html_sidebars = {
    page: []
    for page in ("getting-started", "benchmarks", "glossary", "changelog", "contributing")
}
html_theme_options = {
    "header_links_before_dropdown": 6,
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}

REPORTS.mkdir(parents=True, exist_ok=True)
html_extra_path = [str(EXTRA)]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "image_scrapers": ("gallery_scraper",),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"NotebookFigure|Display|Legend",
    "plot_gallery": True,
    "abort_on_example_error": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # they tell about the machine
    "min_reported_time": float("inf"),
}


def skip_inherited(app, what, name, member, skip, options):
    """Leave out what scikit-learn's base classes add: its own pages document that."""
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    home = getattr(member, "__module__", None) or ""
    return True if home.partition(".")[0] in ("sklearn", "skorch", "torch") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_inherited)
