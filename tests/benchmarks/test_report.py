"""The report that is timed is about photographs, and about all of them."""

import report
from PIL import Image

from p2pselect.explanations import Explanation


def test_all_photographs_are_on_the_page_that_is_timed(monkeypatch):
    pages = []
    own = Explanation.to_html

    def to_html(exp, path, y, max_images):
        own(exp, path, y=y, max_images=max_images)
        sizes = [Image.open(file).size for file in exp.originals.files]
        pages.append((path.stat().st_size, path.read_text().count('"sharp":true'), sizes))

    monkeypatch.setattr(Explanation, "to_html", to_html)
    figures = report.measure([3, 5], n_scenes=2, side=256)
    assert [shown for _, shown, _ in pages] == [3, 5]
    assert pages[1][2] == [(256, 256)] * 5
    for n, (size, *_) in zip((3, 5), pages, strict=True):
        assert figures[f"megabytes_{n}"] == size / 1e6 and figures[f"seconds_{n}"] > 0
