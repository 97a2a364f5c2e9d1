"""What sphinx-gallery shows of an example: figures and reports that its variables hold.

The library's figures are unknown to pyplot, so sphinx-gallery's own scraper, which asks pyplot,
does not find them.
"""

import shutil
import weakref
from pathlib import Path

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

#: Copied into the site as they are (`html_extra_path`).
EXTRA = Path(__file__).resolve().parents[1] / "_build" / "extra"
REPORTS = EXTRA / "reports"

_FRAME = """
.. raw:: html

   <iframe class="report" src="../reports/{page}" title="Interactive report"></iframe>
   <p><a href="../reports/{page}">Open the report on a page of its own</a></p>

"""
_shown: weakref.WeakSet[Figure] = weakref.WeakSet()


def scrape(block: tuple, block_vars: dict, gallery_conf: dict) -> str:
    """Save the new figures and reports after a block, and return the rst that shows them."""
    code, variables = block[1], block_vars["example_globals"]
    found = []
    for name, value in list(variables.items()):
        figure = getattr(value, "figure_", value)
        if isinstance(figure, Figure) and figure not in _shown:
            _shown.add(figure)
            path = next(block_vars["image_path_iterator"])
            figure.savefig(path, dpi=110, bbox_inches="tight")
            found.append(figure_rst([path], gallery_conf["src_dir"], figure.get_label()))
        elif isinstance(value, Path) and value.suffix == ".html" and name in code:
            page = f"{Path(block_vars['src_file']).stem}_{value.name}"
            shutil.copy(value, REPORTS / page)
            found.append(_FRAME.format(page=page))
    return "\n".join(found)


def _get_sg_image_scraper():
    return scrape
