"""The audit on the page: its verdict and what that means, every figure with its interval."""

import re
from html import unescape

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.explanations import write_html
from p2pselect.model_selection import Audit

N = 400


def right(*shares):
    """One column per level: the first images are read right."""
    return np.stack([np.arange(N) < round(share * N) for share in shares], axis=1).astype(float)


def found_by(judge, **rows):
    values = {"model": right(0.9, 0.95, 0.98), "judge": right(*judge)}
    values |= {f"{row}: belief": values[row] for row in ("model", "judge")} | rows
    return Audit(values, np.array([0.1, np.nan, 1.0]), np.arange(N) % 2)


@pytest.fixture()
def page(made, tmp_path):
    def write(audit):
        write_html(made.explanation, tmp_path / "page.html", made.y, audit=audit)
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return write


def text_of(html):
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


@pytest.mark.parametrize(
    ("judge", "verdict", "meaning"),
    [
        ((0.89, 0.95, 0.98), "evidence is in the pixels", "about as well as the model"),
        ((0.5, 0.95, 0.98), "the mask encodes", "do not show the reasons"),
        ((0.5, 0.95, 0.8), "cannot tell", "neither clears the model nor convicts it"),
    ],
)
def test_the_verdict_is_said_and_explained(page, judge, verdict, meaning):
    audit = found_by(judge)
    assert audit.verdict == verdict
    html = page(audit)
    assert f"<dt>audit</dt><dd>{verdict}</dd>" in html
    section = text_of(html[html.index("audit-title") : html.index("summary-title")])
    assert meaning in section and f"{N} images" in section
    assert all(reason in section for reason in audit.reasons)


def test_the_table_has_all_areas_with_intervals(page):
    outline = np.where(np.isnan([0.1, np.nan, 1.0]), np.nan, right(0.5, 0.5, 0.5))
    audit = found_by((0.6, 0.85, 0.98), outline=outline)
    html = page(audit)
    expected = [f"{100 * value:.0f}%" for value in audit.figure("judge")[:, 0]]
    gap = [f"{100 * value:+.1f}" for value in audit.gap[:, 0]]
    assert expected[0] == "60%" and gap[0] == "+30.0"
    cells = [text_of(cell) for cell in re.findall(r'data-name="10%">(.*?)</td>', html)]
    assert cells[1:3] == ["{} {} to {}".format(*each) for each in (expected, gap)]
    assert [cell[:3] for cell in cells] == ["90%", "60%", "+30", "50%"]
    cells = [text_of(cell) for cell in re.findall(r'its own regions">(.*?)</td>', html)]
    assert [cell[:4] for cell in cells] == ["95% ", "85% ", "+10.", "–"]


def test_how_much_is_outside_the_object(page):
    outside = right(0.2, 0.25, 0.8)
    rows = {"shown outside": outside, "shown outside: central": right(0.3, 0.35, 0.8)}
    text = text_of(page(found_by((0.89, 0.95, 0.98), **rows)))
    assert "25% of the area lies outside the objects; regions at random would have 80%" in text
    assert "in the middle of the image 35%." in text
    outside[:, 1] = np.nan
    html = page(found_by((0.89, 0.95, 0.98), **rows))
    assert "outside the objects" not in html


def test_without_an_audit_there_is_none(page):
    html = page(None)
    assert "audit-title" not in html and "<dt>audit</dt>" not in html


def test_what_is_no_audit_is_refused(page):
    with pytest.raises(InputError, match=r"audit must be what p2pselect\.audit returns"):
        page({"verdict": "the mask encodes"})
