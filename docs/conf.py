"""Sphinx configuration: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import os
import shutil
import sys
import weakref
from pathlib import Path

# Set before anything imports torch: more threads only slow the tiny networks down.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

from matplotlib.figure import Figure  # noqa: E402

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
html_theme_options = {
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}

# Reports that examples write; they are copied into the site and framed in their pages.
REPORTS = HERE / "_build" / "reports"
(REPORTS / "reports").mkdir(parents=True, exist_ok=True)
html_extra_path = [str(REPORTS)]


class Results:
    """Show what the variables of an example hold: figures, and reports written to files.

    Figures of the library belong to nobody, so that sphinx-gallery's own scraper, which
    asks pyplot, does not find them.
    """

    def __init__(self) -> None:
        self.shown: weakref.WeakSet[Figure] = weakref.WeakSet()

    def __repr__(self) -> str:
        return "Results"

    def __call__(self, block: tuple, block_vars: dict, gallery_conf: dict) -> str:
        from sphinx_gallery.scrapers import figure_rst

        code, names = block[1], block_vars["example_globals"]
        images, frames = [], []
        for name, value in list(names.items()):
            figure = getattr(value, "figure_", value)
            if isinstance(figure, Figure) and figure not in self.shown:
                self.shown.add(figure)
                path = next(block_vars["image_path_iterator"])
                figure.savefig(path, dpi=110, bbox_inches="tight")
                images.append((path, figure.get_label()))
            elif isinstance(value, Path) and value.suffix == ".html" and name in code:
                kept = f"{Path(block_vars['src_file']).stem}_{value.name}"
                shutil.copy(value, REPORTS / "reports" / kept)
                frames.append(FRAME.format(page=kept))
        pictures = [figure_rst([path], gallery_conf["src_dir"], alt) for path, alt in images]
        return "\n".join(pictures + frames)


FRAME = """
.. raw:: html

   <iframe class="report" src="../reports/{page}" title="Interactive report"></iframe>
   <p><a href="../reports/{page}">Open the report on a page of its own</a></p>

"""

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "image_scrapers": (Results(),),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"NotebookFigure|Display",
    "plot_gallery": True,
    "abort_on_example_error": False,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 0,
}
suppress_warnings = ["config.cache"]  # a scraper is an object, which cannot be cached


def skip_inherited(app, what, name, member, skip, options):
    """Leave out what scikit-learn's base classes add: its own pages document that."""
    member = getattr(member, "fget", None) or getattr(member, "__func__", member)
    home = getattr(member, "__module__", None) or ""
    return True if home.partition(".")[0] in ("sklearn", "skorch", "torch") else None


def setup(app):
    app.connect("autodoc-skip-member", skip_inherited)
